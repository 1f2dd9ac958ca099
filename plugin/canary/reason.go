package canary

// The reasons of what fails.
const (
	ReasonUnready     = "canary-unready"
	ReasonRevoke      = "canary-revoke"
	ReasonRenew       = "canary-renew"
	ReasonUnpublished = "canary-unpublished"
	ReasonUnseen      = "canary-unseen"
	ReasonNotGood     = "canary-not-good"
)

// ReasonMeaning explains one reason in one line.
type ReasonMeaning struct{ Reason, Meaning string }

// Reasons returns the reasons of this package.
func Reasons() []ReasonMeaning {
	return []ReasonMeaning{
		{ReasonUnready, "a round is due and can't begin"},
		{ReasonRevoke, "the command revoke failed, or the leader that ran it was gone before it ended"},
		{ReasonRenew, "the command renew failed; it is tried again"},
		{ReasonUnpublished, "no response that says revoked was published in time"},
		{ReasonUnseen, "clients of a node were not shown the revoked response in time"},
		{ReasonNotGood, "clients of a node were not shown a good response in time after renew"},
	}
}
