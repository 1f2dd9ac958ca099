package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul"
	"github.com/consul-ocsp/consul-ocsp/plugin/fetcher"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// askTimeout is how long a leading agent is waited for when the asker sets no
// time: longer than it needs for the slowest responder.
const askTimeout = time.Minute

// answerRequests has the fetcher fetch what operators ask for, while this agent
// leads.
func (p *parts) answerRequests(ctx context.Context, term *consul.Term, f *fetcher.Fetcher) error {
	return term.Requests(ctx, func(ctx context.Context, ids []string, answer func(string, record.Request)) {
		p.aim(f) // what was announced this moment may be asked for
		f.Force(ctx, ids, func(r fetcher.Result) { answer(r.Target.ID, answerOf(r)) })
	})
}

func answerOf(r fetcher.Result) record.Request {
	answer := record.Request{Outcome: r.Outcome, Reason: r.Reason, Job: r.Target.Job, Name: r.Target.Name}
	if r.Err != nil {
		answer.Error = r.Err.Error()
	}
	if r.Staple != nil {
		answer.Status, answer.Until = r.Staple.Meta.Status, r.Staple.Meta.Until
	}
	return answer
}

// ask has the leading agent fetch now, and puts what it answers into the
// report. The error is [consul.ErrNobodyLeads] where nobody leads any more.
func (p *parts) ask(ctx context.Context, fo FetchOptions, report *FetchReport) error {
	known, err := p.asked(ctx, fo.Name)
	if err != nil {
		return err
	}
	if len(known) == 0 && fo.Name != "" {
		return fmt.Errorf("no certificate %q is configured here, and none of that name was fetched or announced", fo.Name)
	}
	ids := make([]string, 0, len(known))
	for id := range known {
		ids = append(ids, id)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("no answer within %v", askTimeout))
		defer cancel()
	}
	answers, err := p.consul.AskFetch(ctx, ids, asker(), func(answers map[string]record.Request) {
		p.options.says(askedSoFar(ctx, answers, len(ids)))
	})
	if err != nil && len(answers) == 0 {
		return fmt.Errorf("asking the leading agent (%w): %w", report.LedBy, err)
	}
	for id, result := range known {
		a, answered := answers[id]
		report.Results = append(report.Results, result.with(a, answered, err))
	}
	report.sort()
	report.Published = true
	return nil
}

// askedSoFar is how far the leading agent has come with what it was asked.
func askedSoFar(ctx context.Context, answers map[string]record.Request, total int) Progress {
	progress := Progress{Doing: "asking the leading agent", Done: len(answers), Total: total}
	for _, a := range answers {
		if a.Outcome == fetcher.Failed {
			progress.Failed++
		}
	}
	progress.Until, _ = ctx.Deadline()
	return progress
}

// with is the result with what the leading agent answered; unanswered is why it
// did not.
func (r FetchResult) with(a record.Request, answered bool, unanswered error) FetchResult {
	r.Outcome, r.Reason = a.Outcome, a.Reason
	switch {
	case !answered:
		r.Outcome, r.Reason, r.Err = fetcher.Failed, fetcher.Timeout, fmt.Errorf("the leading agent did not answer: %w", unanswered)
	case a.Outcome == "unknown":
		r.Outcome, r.Err = fetcher.Failed, errors.New("the leading agent does not know this certificate, or refused its announcement")
	case a.Error != "":
		r.Err = errors.New(a.Error)
	}
	if a.Status != "" {
		r.Meta.Status, r.Meta.Until = a.Status, a.Until
	}
	return r
}

// asked are the certificates that the cluster knows and that the name fits;
// all for an empty name.
func (p *parts) asked(ctx context.Context, name string) (map[string]FetchResult, error) {
	snapshot, err := p.consul.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.consul.Waiting(ctx, snapshot, p.settings.Load().Config.Announce.CertificateTTL); err != nil {
		return nil, err
	}
	known := map[string]FetchResult{}
	add := func(id, job, called string) {
		if _, ok := known[id]; !ok && (name == "" || job+"/"+called == name) {
			known[id] = FetchResult{ID: id, Job: job, Name: called}
		}
	}
	for id, c := range p.holding.announcements() {
		add(id, c.Job, c.Name)
	}
	for id, m := range snapshot.Metas {
		add(id, m.Job, m.Name)
	}
	for id, t := range snapshot.Troubles {
		add(id, t.Job, t.Name)
	}
	for id, c := range snapshot.Waiting {
		add(id, c.Job, c.Name)
	}
	return known, nil
}

// asker is who asks, for people.
func asker() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("consul-ocsp fetch, process %d on %s", os.Getpid(), host)
}
