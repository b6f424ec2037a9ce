//! From a pick to the decision that people read.

use crate::model::{Choice, Decision, EXPLAINED, Now, Reason};
use crate::routing::{Pick, PickContext, Scored};
use crate::state::Member;

use super::candidates::Choices;
use super::prediction::Prediction;

/// A client's model name is kept up to so many bytes: decisions are remembered, and clients are not trusted.
const LONGEST_MODEL: usize = 128;

/// What an explanation is made of.
pub(super) struct Explained<'a> {
    pub choices: &'a Choices<'a>,
    pub context: &'a PickContext<'a>,
    pub pick: Option<&'a Pick>,
    pub reason: Reason,
    pub now: Now,
}

impl Explained<'_> {
    /// The decision for `winner`.
    pub fn decision(&self, winner: &Member) -> Decision {
        let mut choices: [Option<Choice>; EXPLAINED] = Default::default();
        let scored = self.pick.iter().flat_map(|pick| pick.best.iter().flatten());
        for (choice, scored) in choices.iter_mut().zip(scored) {
            *choice = Some(self.choice(scored));
        }
        let Choices { request, prompt_tokens, .. } = *self.choices;
        Decision {
            at: self.now.wall,
            request_id: request.id.map(Into::into),
            endpoint: winner.endpoint.name.clone(),
            address: winner.endpoint.address,
            reason: self.reason,
            session: request.session.source,
            session_field: request.session.field.map(Into::into),
            model: request.prompt.map(|prompt| shortened(prompt.model).into()),
            prompt_tokens,
            eligible: u32::try_from(self.context.candidates.len()).unwrap_or(u32::MAX),
            choices,
        }
    }

    fn choice(&self, scored: &Scored) -> Choice {
        let candidate = &self.context.candidates[scored.candidate];
        let Prediction { held_by_session, computed } =
            self.choices.prediction(candidate, self.context.hidden_tokens, self.now.instant);
        Choice {
            endpoint: self.choices.pool.members()[candidate.member as usize].endpoint.name.clone(),
            cost: scored.cost,
            uncached_tokens: candidate.uncached_tokens,
            held_by_session,
            computed_tokens: computed,
            waiting_tokens: candidate.waiting_tokens,
            in_flight: candidate.in_flight,
            charged: scored.charges,
            penalty: candidate.penalty,
        }
    }
}

fn shortened(model: &str) -> &str {
    &model[..model.floor_char_boundary(LONGEST_MODEL)]
}
