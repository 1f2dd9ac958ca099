package plugin

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/inventory"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/settings"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
)

// keptNoon is the time of responses that are kept.
var keptNoon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Whoever asks over HTTP for a history that lacks its certificate has no file of
// the node read: the agent has its own at hand.
func TestHistoryOverHTTPReadsNoCertificates(t *testing.T) {
	s := newHearingScene(t)
	id, _, issued := s.issue("www")
	data, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data.SetHistory(store.History{Keep: func(string) int { return 5 }, Kept: func(record.Staple, error) {}})
	der := []byte("no response")
	st := record.Staple{ID: id, DER: der, Meta: record.Meta{SHA256: record.Checksum(der), Status: "good", ThisUpdate: keptNoon}}
	if _, err := data.Put(st); err != nil {
		t.Fatal(err)
	}
	p := &parts{store: data, holding: s.h}
	// The certificate is in a file that the settings name; reading that would find it.
	folder := filepath.Dir(issued.Path)
	p.settings.Store(&settings.Settings{Config: &hclconfig.Config{}, Sources: []inventory.Source{{Job: "edge", Sets: []inventory.Set{{Paths: []string{filepath.Join(folder, "*")}}}}}})
	if h, err := p.readHistory(t.Context(), id, time.Time{}, 1); err != nil || h.Serial != "" || len(h.Wrong) != 1 {
		t.Errorf("it was read: %+v, %v", h, err)
	}
	s.h.own = []inventory.Certificate{{ID: id, Job: "edge", Leaf: issued.Leaf, Issuer: s.ca.Certificate()}}
	if h, err := p.readHistory(t.Context(), id, time.Time{}, 1); err != nil || h.Serial == "" || len(h.Wrong) != 0 {
		t.Errorf("what the agent has at hand is not used: %+v, %v", h, err)
	}
}
