//! How streams are cut.

use super::*;
use proptest::prelude::*;

type Cut = (u64, u64, Option<Reject>, Vec<u8>);

fn cut_in(stream: &[u8], pieces: &[usize], max: usize, truncated: bool) -> Vec<Cut> {
    let mut out = Vec::new();
    let mut splitter = Splitter::new(max);
    let mut rest = stream;
    let mut emit = |span: Span, bytes: &[u8]| {
        if span.reject.is_none() {
            assert_eq!(span.length, u64::try_from(bytes.len()).unwrap());
        }
        let start = usize::try_from(span.offset).unwrap();
        let whole = &stream[start..start + usize::try_from(span.length).unwrap()];
        assert!(whole.starts_with(bytes), "the bytes are those of the span");
        assert_eq!(
            span.line,
            u64::try_from(memchr::memchr_iter(b'\n', &stream[..start]).count()).unwrap() + 1
        );
        out.push((span.offset, span.line, span.reject, whole.to_vec()));
    };
    for length in pieces {
        let (now, later) = rest.split_at(rest.len().min(*length));
        splitter.feed(now, &mut emit);
        rest = later;
    }
    splitter.feed(rest, &mut emit);
    splitter.finish(truncated, &mut emit);
    out
}

fn units(stream: &str) -> Vec<String> {
    let all = cut_in(stream.as_bytes(), &[], 1 << 20, false);
    all.into_iter()
        .map(|(_, _, reject, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            reject.map_or(text.clone(), |reject| format!("{}: {text}", reject.name()))
        })
        .collect()
}

#[test]
fn a_cut_tail_swallows_nothing() {
    let one = r#"{"a":1}"#;
    let next = format!("{{\"records\":[{one},{one}]}}\n");
    for tail in [r#","trunc"#, r#","a":{"b":1"#, r#","a":[1,"x""#] {
        let found = units(&format!("{{\"records\":[{one}]{tail}\n{next}{next}"));
        assert_eq!(found.iter().filter(|unit| *unit == one).count(), 5, "{tail}: {found:?}");
        assert_eq!(found.iter().filter(|unit| unit.starts_with("json: ")).count(), 1, "{tail}: {found:?}");
    }
    let cut = units(&format!("{{\"records\":[{one}],\"a\":{{\"b\""));
    assert_eq!(cut.len(), 2, "{cut:?}");
    assert!(cut[1].starts_with("json: "), "{cut:?}");
    let twice = format!("{{\"records\":[{one}],\"x\":\"records\", \"records\" : [{one},{one}]}}{one}");
    assert_eq!(units(&twice), [one; 4]);
}

#[test]
fn envelopes_arrays_and_objects_are_cut() {
    let one = r#"{"a":"}\"{","b":[1,{"c":null}]}"#;
    for stream in [
        format!("{{\"records\":[{one},{one}]}}"),
        format!("\u{feff}{{ \"records\" : [\n  {one},\n  {one}\n ] , \"more\": {{\"x\":\"}}\"}} }}\n"),
        format!("[{one},{one}]"),
        format!("[\n{one}\n,\n{one}\n]\n"),
        format!("{one}{one}"),
        format!("{one}\n{one}\n"),
        format!("{{\"records\":[{one}]}}\n{{\"records\":[{one}]}}\n"),
        format!("{{\"records\":[{one}]}}{one}"),
        format!("{{\"records\":[]}}\n{one}\n[{one}]\n"),
        format!("{{\"records\":[{one},{one}"),
    ] {
        assert_eq!(units(&stream), [one, one], "{stream}");
    }
    let pretty = "{\n  \"a\": 1,\n  \"records\": [1]\n}";
    assert_eq!(units(&format!("{pretty}\n{pretty}")), [pretty, pretty]);
    assert_eq!(units(r#"{"records":{"a":1}}"#), [r#"{"records":{"a":1}}"#]);
    assert_eq!(units(r#"{"recordsx":[{"a":1}]}"#), [r#"{"recordsx":[{"a":1}]}"#]);
    assert_eq!(units(r#"{"a":{"records":[{"a":1}]}}"#), [r#"{"a":{"records":[{"a":1}]}}"#]);
}

#[test]
fn garbage_costs_its_line_only() {
    assert_eq!(units("{\"a\":1}\nnot json\n{\"a\":2}\n"), ["{\"a\":1}", "json: not json\n", "{\"a\":2}"]);
    assert_eq!(units("{\"a\":\"cut\n{\"a\":2}\n"), ["json: {\"a\":\"cut\n", "{\"a\":2}"]);
    assert_eq!(
        units("{\"a\":1,\"b\":\n{\"a\":2}\n{\"a\":3}\n"),
        ["json: {\"a\":1,\"b\":\n", "{\"a\":2}", "{\"a\":3}"]
    );
    assert_eq!(units("{\"a\":1]} x\n{\"a\":2}"), ["json: {\"a\":1]} x\n", "{\"a\":2}"]);
    assert_eq!(units("[1,{\"a\":2},\"x\"]"), ["json: 1", "{\"a\":2}", "json: \"x\""]);
    assert_eq!(units("{\"a\":1}}\n{\"a\":2}"), ["{\"a\":1}", "{\"a\":2}"]);
    assert_eq!(units("{\"a\":-,\"b\":,\"c\":0.1, 0.2}"), ["{\"a\":-,\"b\":,\"c\":0.1, 0.2}"]);
}

#[test]
fn the_end_of_the_input_is_told() {
    let reasons = |truncated| -> Vec<_> {
        cut_in(b"{\"a\":1}\n{\"a\":", &[], 100, truncated).into_iter().map(|cut| (cut.0, cut.2)).collect()
    };
    assert_eq!(reasons(true), [(0, None), (8, Some(Reject::TruncatedInput))]);
    assert_eq!(reasons(false), [(0, None), (8, Some(Reject::Json))]);
}

#[test]
fn long_units_are_rejected_and_the_next_is_found() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    for stream in [format!("{{\"a\":1}}\n{long}\n{{\"a\":2}}\n"), format!("[{{\"a\":1}},{long},{{\"a\":2}}]")]
    {
        let cut = cut_in(stream.as_bytes(), &[], 50, false);
        let reasons: Vec<_> = cut.iter().map(|cut| (cut.2, cut.3.len())).collect();
        assert_eq!(reasons, [(None, 7), (Some(Reject::TooLong), 108), (None, 7)], "{stream}");
    }
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("{\"records\":["),
        Just("]}"),
        Just("{\"a\":1}"),
        Just("{\"b\":\"x\\\"}\"}"),
        Just("["),
        Just("]"),
        Just(","),
        Just("\n"),
        Just("{"),
        Just("}"),
        Just("\""),
        Just("\\"),
        Just("\"k\":"),
        Just("junk"),
        Just(" "),
        Just("0.1"),
        Just("\u{feff}"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_does_not_matter(
        stream in stream(),
        pieces in proptest::collection::vec(0_usize..9, 0..60),
        max in prop_oneof![Just(12_usize), Just(1 << 20)],
        truncated in any::<bool>(),
    ) {
        let whole = cut_in(&stream, &[], max, truncated);
        prop_assert_eq!(&whole, &cut_in(&stream, &pieces, max, truncated));
        prop_assert_eq!(&whole, &cut_in(&stream, &vec![1; stream.len()], max, truncated));
    }

    #[test]
    fn spans_never_overlap(stream in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut end = 0;
        for (offset, _, _, bytes) in cut_in(&stream, &[], 64, false) {
            prop_assert!(offset >= end);
            end = offset + u64::try_from(bytes.len()).unwrap();
        }
    }
}
