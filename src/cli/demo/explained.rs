//! One pick of a run, explained.

use std::io::Write;

use crate::cli::explain;

/// Writes the pick with the longest prompt among the last ones of the picker with this admin port, `HOST:PORT`: there
/// is most to explain.
///
/// # Errors
/// No picker answers there, or `out` cannot be written.
pub async fn write(admin: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let mut decisions = explain::fetch(admin, 50).await?;
    decisions.sort_by(|one, other| other.prompt_tokens.total_cmp(&one.prompt_tokens));
    decisions.truncate(1);
    writeln!(out, "One pick explained, in prompt tokens; the lowest cost wins:")?;
    explain::write(&decisions, out)?;
    Ok(())
}
