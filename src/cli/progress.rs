//! Progress on standard error: a bar on a terminal, a plain line every 30 seconds elsewhere.

use super::args::ProgressKind;
use super::console;
use super::console::Console;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokentrail::pipeline;
use tokentrail::pipeline::InputReport;
use tokentrail::pipeline::Listed;
use tokentrail::pipeline::Progress;
use tokentrail::sink::{grouped, visible};

/// How often a plain line is printed.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// What is shown.
enum Show {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

/// Counts what the run says of itself, and shows it.
pub(super) struct Shown {
    show: Show,
    console: Console,
    started: Instant,
    inputs: AtomicU64,
    ended: AtomicU64,
    total: AtomicU64,
    total_known: AtomicBool,
    bytes: AtomicU64,
    units: AtomicU64,
    uses: AtomicU64,
    current: Mutex<String>,
    printed: Mutex<Instant>,
}

impl Shown {
    /// Progress as the user wants it and the terminal allows.
    pub(super) fn new(kind: ProgressKind, console: Console) -> Self {
        let show = match kind {
            _ if console.quiet => Show::Nothing,
            ProgressKind::None => Show::Nothing,
            ProgressKind::Bar => Show::Bar(bar()),
            ProgressKind::Auto if io::stderr().is_terminal() => Show::Bar(bar()),
            ProgressKind::Plain | ProgressKind::Auto => Show::Lines,
        };
        let now = Instant::now();
        Self {
            show,
            console,
            started: now,
            inputs: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            total: AtomicU64::new(0),
            total_known: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            units: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            current: Mutex::new(String::new()),
            printed: Mutex::new(now),
        }
    }

    /// Takes the bar away, so that the summary begins on a clean line.
    pub(super) fn finish(&self) {
        if let Show::Bar(bar) = &self.show {
            bar.finish_and_clear();
        }
    }

    /// One line: how far it is, how fast, and where.
    fn line(&self) -> String {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let of = if self.total_known.load(Ordering::Relaxed) {
            format!(" of {}", HumanBytes(self.total.load(Ordering::Relaxed)))
        } else {
            String::new()
        };
        let seconds = self.started.elapsed().as_secs().max(1);
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        format!(
            "{}{of} read, {} of {} inputs, {} lines, {} uses of tokens, {}/s; reading {}",
            HumanBytes(bytes),
            grouped(self.ended.load(Ordering::Relaxed)),
            grouped(self.inputs.load(Ordering::Relaxed)),
            grouped(self.units.load(Ordering::Relaxed)),
            grouped(self.uses.load(Ordering::Relaxed)),
            HumanBytes(bytes / seconds),
            visible(&current),
        )
    }

    /// Shows the present state, if it is time to.
    fn tick(&self) {
        match &self.show {
            Show::Nothing => {}
            Show::Bar(bar) => bar.set_position(self.bytes.load(Ordering::Relaxed)),
            Show::Lines => {
                // Whoever holds the clock prints; nobody waits.
                let Ok(mut printed) = self.printed.try_lock() else { return };
                if printed.elapsed() >= LINE_EVERY {
                    *printed = Instant::now();
                    console::say(&format!("{}\n", self.line()));
                }
            }
        }
    }
}

impl Progress for Shown {
    fn begun(&self, inputs: &[Listed]) {
        self.inputs.store(u64::try_from(inputs.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(total) = pipeline::total_bytes(inputs) {
            self.total.store(total, Ordering::Relaxed);
            self.total_known.store(true, Ordering::Relaxed);
            if let Show::Bar(bar) = &self.show {
                bar.set_length(total);
            }
        }
    }

    fn input(&self, source: &str) {
        source.clone_into(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
        if let Show::Bar(bar) = &self.show {
            bar.set_message(visible(source).into_owned());
        }
    }

    fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tick();
    }

    fn audited(&self, units: u64, uses: u64) {
        self.units.fetch_add(units, Ordering::Relaxed);
        self.uses.fetch_add(uses, Ordering::Relaxed);
    }

    fn ended(&self, report: &InputReport) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.tick();
        let tell = || self.console.detail(&ended(report));
        match &self.show {
            Show::Bar(bar) => bar.suspend(tell),
            Show::Lines | Show::Nothing => tell(),
        }
    }
}

/// What `-v` says of an input.
fn ended(report: &InputReport) -> String {
    let why = report.error.as_ref().or(report.format_reason.as_ref()).map_or("", String::as_str);
    let format = report.format.as_deref().unwrap_or("no format");
    let counts = &report.counts;
    let text = format!(
        "{}: {}, {format} ({why}), {} records, {} with a token, {} rejected",
        report.source,
        report.status.name(),
        grouped(counts.records),
        grouped(counts.present),
        grouped(counts.rejects.total()),
    );
    visible(&text).into_owned() + "\n"
}

/// A bar that draws at most ten times a second. Without a known total it only counts.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let template = "{wide_bar} {bytes} of {total_bytes} {binary_bytes_per_sec} {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
