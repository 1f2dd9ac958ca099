package staple

import (
	"crypto/x509"
	"fmt"
)

// Results of a Step.
const (
	StepOK         = "ok"
	StepWarning    = "warning"
	StepRefused    = "refused"
	StepNotReached = "not reached"
)

// Step is one check of a response: its name, one of the four results, and what was found.
type Step struct {
	Name   string
	Result string
	Detail string
}

// Explain runs the very checks of Verify and returns all of them in order. The first refusal ends the judgement; the
// steps behind it are "not reached". Without leaf or issuer the steps that need them are "not reached" or end in a
// warning, and the rest goes on.
func Explain(der []byte, leaf, issuer *x509.Certificate, o Options) []Step {
	return NewPair(leaf, issuer).Explain(der, o)
}

// Explain explains a response for the pair's certificate, as the function Explain does.
func (p *Pair) Explain(der []byte, o Options) []Step {
	j := newJudgement(der, p, o)
	j.explain = true
	_ = j.run() // the trace holds the refusal
	for _, c := range checks()[len(j.trace):] {
		j.trace = append(j.trace, Step{Name: c.name, Result: StepNotReached})
	}
	trace := j.trace
	j.done()
	return trace
}

func (j *judgement) begin(name string) { j.current = Step{Name: name, Result: StepOK} }

func (j *judgement) finish(refusal *Refusal) {
	if !j.explain {
		return
	}
	if refusal != nil {
		j.current.Result, j.current.Detail = StepRefused, refusal.Error()
	}
	j.trace = append(j.trace, j.current)
}

// note says what a step found.
func (j *judgement) note(format string, args ...any) {
	if j.explain {
		j.current.Detail = fmt.Sprintf(format, args...)
	}
}

// add goes on with what a step found.
func (j *judgement) add(text string) {
	if j.explain {
		j.current.Detail += "; " + text
	}
}

// warn adds to the warnings of the facts and turns the step's result.
func (j *judgement) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.warnings = append(j.warnings, text)
	j.warnStep(text)
}

// warnStep is a warning about the explanation alone.
func (j *judgement) warnStep(text string) {
	j.current.Result = StepWarning
	if j.current.Detail != "" {
		j.current.Detail += "; "
	}
	j.current.Detail += text
}

// skip says why a step could not be judged.
func (j *judgement) skip(why string) {
	j.current.Result, j.current.Detail = StepNotReached, why
}
