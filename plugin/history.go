package plugin

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/status"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// HistoryOptions narrow what is shown of a history.
type HistoryOptions struct {
	// At, if set, leaves of each place what it had at that time.
	At time.Time
	// Most is how many responses are shown, the newest; 0: all.
	Most int
}

// ErrNoHistory says that nothing is kept of a certificate.
var ErrNoHistory = errors.New("no responses of this certificate are kept here: with fetch { history = n } the next one is")

// History is what data_dir keeps of a certificate, which id names. It asks
// nobody, and believes nothing of what it reads: each response is verified
// again, for the time at which it was signed. What is wrong with some hides none
// of the others. Without any response the error is ErrNoHistory.
func History(cfg *hclconfig.Config, id string, o HistoryOptions) (*status.History, error) {
	mapped, err := settings.New(cfg, nil)
	if err != nil {
		return nil, err
	}
	own := func(id string) *staple.Pair { return readPair(mapped, id) }
	return readHistory(mapped, store.Look(cfg.DataDir), id, o, own, time.Now())
}

// readHistory is History, by what runs.
func (p *parts) readHistory(_ context.Context, id string, at time.Time, most int) (*status.History, error) {
	h, err := readHistory(p.settings.Load(), p.store, id, HistoryOptions{At: at, Most: most}, p.holding.pair, time.Now())
	if errors.Is(err, ErrNoHistory) {
		return nil, nil
	}
	return h, err
}

// readHistory asks own for a certificate that the history lacks.
func readHistory(p *settings.Settings, data *store.Store, id string, o HistoryOptions, own func(id string) *staple.Pair, now time.Time) (*status.History, error) {
	most, wanted := o.Most, func(store.KeptResponse) bool { return true }
	if !o.At.IsZero() {
		most = 0 // it may be any
		matters := status.At(o.At)
		wanted = func(r store.KeptResponse) bool { return matters(r.ThisUpdate, r.Notes) || len(r.Wrong) > 0 }
	}
	kept, err := data.KeptWhere(id, most, wanted)
	if err != nil {
		return nil, err
	}
	if kept.All == 0 {
		return nil, ErrNoHistory
	}
	h := status.NewHistory(id, now)
	h.Kept = kept.All
	for _, file := range kept.Foreign {
		h.AddWrong(file, errors.New("this is no file of a history; it is not looked at"))
	}
	pair, wrong := keptPair(data, id, own)
	if wrong != nil {
		h.AddWrong(wrong.file, wrong.err)
	} else {
		leaf := pair.Leaf()
		h.Describe(staple.Names(leaf), serialOf(leaf), leaf.Issuer.String(), leaf.NotBefore, leaf.NotAfter)
	}
	for _, r := range kept.Responses {
		for _, err := range r.Wrong {
			h.AddWrong(r.File, err)
		}
		h.Add(judgeKept(p, pair, r), r.Notes)
	}
	h.Sort()
	if !o.At.IsZero() {
		h.Then(o.At)
	}
	return h, nil
}

// judgeKept verifies a response, if its certificate is known.
func judgeKept(p *settings.Settings, pair *staple.Pair, r store.KeptResponse) status.KeptResponse {
	shown := status.KeptResponse{SHA256: r.SHA256, ThisUpdate: r.ThisUpdate, DER: r.DER, File: r.File}
	if pair == nil {
		shown.Error = "the certificate or its issuer is not known"
		return shown
	}
	options := p.Fetch(r.Notes.Job, r.Notes.Name).Settings.Judgement(time.Time{})
	options.AsSigned = true
	facts, err := pair.Verify(r.DER, options)
	if err == nil && (facts.SHA256() != r.SHA256 || facts.ThisUpdate.Unix() != r.ThisUpdate.Unix()) {
		err = errors.New("it is genuine, but not the response that its file's name speaks of")
	}
	if err != nil {
		shown.Error = err.Error()
		return shown
	}
	shown.Verified, shown.Status = true, string(facts.Status)
	shown.RevokedAt, shown.RevocationReason = facts.RevokedAt, facts.RevocationReason
	shown.ProducedAt, shown.ThisUpdate, shown.NextUpdate = facts.ProducedAt, facts.ThisUpdate, facts.NextUpdate
	shown.Signer = facts.Signer.Subject.String()
	return shown
}

// wrongFile is a file, and what is wrong with it.
type wrongFile struct {
	file string
	err  error
}

// keptPair is the certificate and its issuer, of which nothing has to be
// believed: the id is the certificate's hash, and that the issuer signed it each
// verification proves. Where the history lacks them the node's own may help.
func keptPair(data *store.Store, id string, own func(id string) *staple.Pair) (*staple.Pair, *wrongFile) {
	b, file, err := data.KeptCertificate(id)
	if err == nil {
		pair, err := staple.ParsePair(b, id)
		if err == nil {
			return pair, nil
		}
		return nil, &wrongFile{file, err}
	}
	if pair := own(id); pair != nil {
		return pair, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it is missing: without the certificate and its issuer nothing can be verified")
	}
	return nil, &wrongFile{file, err}
}

// readPair looks for a certificate in the node's files.
func readPair(p *settings.Settings, id string) *staple.Pair {
	found, _ := inventory.Read(p.Sources)
	return pairOf(found, id)
}

// pair is a certificate of the agent's own, as it has them at hand: over HTTP
// anybody may ask, and the files may be ten thousand.
func (h *holding) pair(id string) *staple.Pair {
	h.mu.Lock()
	defer h.mu.Unlock()
	return pairOf(h.own, id)
}

func pairOf(list []inventory.Certificate, id string) *staple.Pair {
	for _, c := range list {
		if c.ID == id && c.Issuer != nil {
			return staple.NewPair(c.Leaf, c.Issuer)
		}
	}
	return nil
}

// serialOf is a serial number as status has it.
func serialOf(leaf *x509.Certificate) string {
	return (&staple.Facts{SerialNumber: leaf.SerialNumber}).Serial()
}
