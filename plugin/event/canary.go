package event

import "time"

// CanaryNews is something that went wrong with a canary; without a reason, that
// nothing does any more.
type CanaryNews struct{ Job, Name, ID, Reason, Error string }

// The states of a canary, in the words of a status.
const (
	canaryOK      = "ok"
	canaryFailing = "failing"
)

// Canary tells news of a canary. Unlike certificates it is told as often as it is
// called.
func (t *Teller) Canary(n CanaryNews) {
	settings := t.c.Settings()
	if !settings.Enabled() {
		return
	}
	e := Event{
		Format: Format, Event: Canary, Time: t.c.Now().UTC().Truncate(time.Second), Node: t.c.Node,
		ID: n.ID, Job: validName(n.Job), Name: validName(n.Name), State: canaryFailing, Reason: n.Reason, Error: clean(n.Error),
	}
	e.Message = "the canary " + e.Job + "/" + e.Name + " failed: " + n.Reason + ": " + e.Error
	if n.Reason == "" {
		e.State, e.Message = canaryOK, "the canary "+e.Job+"/"+e.Name+" was seen everywhere again"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tell(settings, e)
}
