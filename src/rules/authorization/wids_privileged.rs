//! `wids-privileged`

use crate::entra;
use crate::facts::{Context, TokenFacts};
use crate::limits;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The caller holds a privileged role of the directory.
    ///
    /// Why it matters: whoever administers the tenant should do daily work with another account. A token that was stolen from a
    /// business application opens nothing more than that then.
    ///
    /// What to do: give administrators accounts of their own for administration. List the roles that matter to you under
    /// `[privileged] roles`; without it these are taken, which Microsoft marks as privileged:
    /// `62e90394-69f5-4237-9190-012177145e10` Global Administrator,
    /// `e8611ab8-c189-46e8-94e1-60213ab1f814` Privileged Role Administrator,
    /// `7be44c8a-adaf-4e2a-84d6-ab2649e08a13` Privileged Authentication Administrator,
    /// `194ae4cb-b126-40b2-bd5b-6091b380977d` Security Administrator,
    /// `5f2222b1-57c3-48ba-8ad5-d4759f1fde6f` Security Operator,
    /// `5d6b6bb7-de71-4623-b4af-96380a352509` Security Reader,
    /// `f2ef992c-3afb-46b9-b7cf-a126ee74c451` Global Reader,
    /// `9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3` Application Administrator,
    /// `158c047a-c907-4556-b7ef-446551a6b5f7` Cloud Application Administrator,
    /// `cf1c38e5-3621-4004-a7cb-879624dced7c` Application Developer,
    /// `fe930be7-5e62-47db-91af-98c3a49a38b1` User Administrator,
    /// `c4e39bd9-1100-46d3-8c65-fb160da0071f` Authentication Administrator,
    /// `25a516ed-2fa0-40ea-a2d0-12923a21473a` Authentication Extensibility Administrator,
    /// `b1be1c3e-b65d-4f19-8427-f6fa0d97feb9` Conditional Access Administrator,
    /// `729827e3-9c14-49f7-bb1b-9608f156bbb8` Helpdesk Administrator,
    /// `966707d0-3269-4727-9be2-8c3a10f19b9d` Password Administrator,
    /// `8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2` Hybrid Identity Administrator,
    /// `be2f45a1-457d-42af-a067-6ec1fa63bc45` External Identity Provider Administrator,
    /// `8329153b-31d0-4727-b945-745eb3bc5f31` Domain Name Administrator,
    /// `3a2c62db-5318-420d-8d74-23affee5d9d5` Intune Administrator,
    /// `7698a772-787b-4ac8-901f-60d6b08affd2` Cloud Device Administrator,
    /// `59d46f88-662b-457b-bceb-5c3809e5908f` Lifecycle Workflows Administrator,
    /// `ecb2c6bf-0ab6-418e-bd87-7986f8d63bbe` Attribute Provisioning Administrator,
    /// `422218e4-db15-4ef9-bbe0-8afb41546d79` Attribute Provisioning Reader,
    /// `aaf43236-0c0d-4d5f-883a-6955382ac081` B2C IEF Keyset Administrator,
    /// `9360feb5-f418-4baa-8175-e2a00bac4301` Directory Writers,
    /// `d29b2b05-8046-44ba-8758-1e26182fcf32` Directory Synchronization Accounts,
    /// `4ba39ca4-527c-499a-b93d-d9b492c50246` Partner Tier1 Support,
    /// `e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8` Partner Tier2 Support.
    ///
    /// Known false positives: consoles for administrators, which need an accepted exception. `b79fbf4d-3ef9-4689-8143-76b194e85509`
    /// means an ordinary member and is never reported, whatever the list says.
    "wids-privileged", Authorization, "M/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference",
        "RFC 9700 section 2.3", "OWASP API5:2023", "CWE-250", "CWE-269", "ATT&CK T1078.004",
    ],
    needs: [Claims],
    judge: Token(check),
}

/// What Entra writes for every member of a tenant.
const ORDINARY_MEMBER: &str = "b79fbf4d-3ef9-4689-8143-76b194e85509";

/// The roles of the manual, in its order (Microsoft's list of built-in roles, those with the label "privileged").
const PRIVILEGED: [&str; 29] = [
    "62e90394-69f5-4237-9190-012177145e10",
    "e8611ab8-c189-46e8-94e1-60213ab1f814",
    "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
    "194ae4cb-b126-40b2-bd5b-6091b380977d",
    "5f2222b1-57c3-48ba-8ad5-d4759f1fde6f",
    "5d6b6bb7-de71-4623-b4af-96380a352509",
    "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    "158c047a-c907-4556-b7ef-446551a6b5f7",
    "cf1c38e5-3621-4004-a7cb-879624dced7c",
    "fe930be7-5e62-47db-91af-98c3a49a38b1",
    "c4e39bd9-1100-46d3-8c65-fb160da0071f",
    "25a516ed-2fa0-40ea-a2d0-12923a21473a",
    "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8",
    "966707d0-3269-4727-9be2-8c3a10f19b9d",
    "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2",
    "be2f45a1-457d-42af-a067-6ec1fa63bc45",
    "8329153b-31d0-4727-b945-745eb3bc5f31",
    "3a2c62db-5318-420d-8d74-23affee5d9d5",
    "7698a772-787b-4ac8-901f-60d6b08affd2",
    "59d46f88-662b-457b-bceb-5c3809e5908f",
    "ecb2c6bf-0ab6-418e-bd87-7986f8d63bbe",
    "422218e4-db15-4ef9-bbe0-8afb41546d79",
    "aaf43236-0c0d-4d5f-883a-6955382ac081",
    "9360feb5-f418-4baa-8175-e2a00bac4301",
    "d29b2b05-8046-44ba-8758-1e26182fcf32",
    "4ba39ca4-527c-499a-b93d-d9b492c50246",
    "e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8",
];

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let listed = context.policy.and_then(|policy| policy.clients().privileged_roles.as_ref());
    let is_privileged = |role: &str| match listed {
        _ if role == ORDINARY_MEMBER => false,
        Some(roles) => roles.iter().any(|listed| listed == role),
        None => PRIVILEGED.contains(&role),
    };
    let held = claim::texts(claims, "wids").map(entra::normal_guid).filter(|role| is_privileged(role));
    let mut held = held.peekable();
    if held.peek().is_none() {
        return Check::Quiet;
    }
    let held: Vec<_> = held.take(limits::LISTED_MAX).collect();
    Check::fires(
        Evidence::new("The caller holds a privileged role of the directory.")
            .expected("an account without privileged roles")
            .actual(held.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_lists_the_roles() {
        for role in PRIVILEGED {
            assert!(RULE.manual.contains(role) && entra::is_guid(role), "{role}");
        }
        let mut roles = PRIVILEGED.to_vec();
        roles.sort_unstable();
        roles.dedup();
        assert_eq!(roles.len(), PRIVILEGED.len());
    }
}
