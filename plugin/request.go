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

// answerRequests fetches what operators ask for, while this agent leads. It is
// a pass beside the schedule, with the same store and the same publisher.
func (p *parts) answerRequests(ctx context.Context, term *consul.Term, publisher fetcher.Publisher) error {
	return term.Requests(ctx, func(ctx context.Context, ids []string) map[string]record.Request {
		asked := map[string]bool{}
		for _, id := range ids {
			asked[id] = true
		}
		f := fetcher.New(fetcher.Config{
			Store: p.store, Publisher: publisher, Client: p.client, Logger: p.options.Logger.Named("fetcher"),
		})
		f.Set(p.holding.targets())
		answers := map[string]record.Request{}
		for _, r := range f.Pass(ctx, fetcher.PassOptions{Force: true, Only: func(t fetcher.Target) bool { return asked[t.ID] }}) {
			answers[r.Target.ID] = answerOf(r)
		}
		return answers
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
// report.
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
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, errors.New("the leading agent has not answered"))
	defer cancel()
	answers, err := p.consul.AskFetch(ctx, ids, asker())
	for id, result := range known {
		a, answered := answers[id]
		result.Outcome, result.Reason = a.Outcome, a.Reason
		switch {
		case !answered && err != nil:
			result.Outcome, result.Reason, result.Err = fetcher.Failed, fetcher.Timeout, err
		case a.Outcome == "unknown":
			result.Outcome, result.Err = fetcher.Failed, errors.New("the leading agent does not know this certificate, or refused its announcement")
		case a.Error != "":
			result.Err = errors.New(a.Error)
		}
		if a.Status != "" {
			result.Meta.Status, result.Meta.Until = a.Status, a.Until
		}
		report.Results = append(report.Results, result)
	}
	report.sort()
	report.Published = true
	if len(answers) == 0 {
		return err
	}
	return nil
}

// asked are the certificates that the cluster knows and that the name fits;
// all for an empty name.
func (p *parts) asked(ctx context.Context, name string) (map[string]FetchResult, error) {
	snapshot, err := p.consul.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.consul.Waiting(ctx, snapshot, p.plan.Load().cfg.Announce.CertificateTTL); err != nil {
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
