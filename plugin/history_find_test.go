package plugin

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/hclconfig"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
	"github.com/consul-ocsp/consul-ocsp/plugin/staple"
	"github.com/consul-ocsp/consul-ocsp/plugin/store"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca/testcatest"
)

// A certificate that is gone is found by whatever people know of it, and where
// several fit they are listed.
func TestFindHistory(t *testing.T) {
	ca := testcatest.Init(t, testca.InitOptions{})
	cfg := hclconfig.Default()
	cfg.DataDir = t.TempDir()
	data, err := store.Open(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	data.SetHistory(store.History{Keep: func(string) int { return 5 }, Kept: func(record.Staple, error) {}})
	var ids, serials []string
	for _, name := range []string{"www.example.com", "www.example.com", "shop.example.com"} {
		issued := testcatest.Issue(t, ca, testca.IssueOptions{}, name)
		id, der := staple.ID(issued.Leaf), []byte(name)
		ids, serials = append(ids, id), append(serials, serialOf(issued.Leaf))
		st := record.Staple{ID: id, DER: der, Meta: record.Meta{SHA256: record.Checksum(der), Status: "good", ThisUpdate: keptNoon}}
		if _, err := data.Put(st); err != nil {
			t.Fatal(err)
		}
		data.Note([]*store.Note{{
			ID: id, SHA256: st.Meta.SHA256, ThisUpdate: keptNoon,
			Certificate: func() []byte {
				return staple.PairPEM(issued.Leaf.Raw, ca.Certificate().Raw)
			},
			Change: func(k *record.Kept) bool { k.Kept, k.Job, k.Name = keptNoon, "edge", name[:3]; return true },
		}})
	}
	file := filepath.Join(t.TempDir(), "leaf.pem")
	b, _, err := data.KeptCertificate(ids[2])
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		ids[0]: ids[0], strings.ToUpper(ids[1]): ids[1], colons(ids[2]): ids[2], ids[1][:10]: ids[1],
		serials[0]: ids[0], strings.ToUpper(colons(serials[2])): ids[2], "shop.example.com": ids[2], "SHOP.example.com": ids[2], "edge/sho": ids[2], file: ids[2],
	} {
		if got, err := FindHistory(cfg, name); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	for name, says := range map[string]string{
		"www.example.com": "2 certificates are called www.example.com", "nobody.example.com": "no certificate", "../../etc/passwd": "no certificate", ids[0][:7]: "no certificate",
	} {
		_, err := FindHistory(cfg, name)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "www.example.com" && (!strings.Contains(err.Error(), ids[0]) || !strings.Contains(err.Error(), ids[1])) {
			t.Errorf("not both are named: %v", err)
		}
	}
	// What is no response is shown as not verified, and why.
	h, err := History(cfg, ids[0], HistoryOptions{})
	if err != nil || len(h.Responses) != 1 || h.Responses[0].Verified || h.Responses[0].Error == "" {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := History(cfg, strings.Repeat("0", 64), HistoryOptions{At: time.Now()}); err != ErrNoHistory {
		t.Errorf("of nothing: %v", err)
	}
}

// colons writes hex as openssl does.
func colons(digits string) string {
	var parts []string
	for i := 0; i+1 < len(digits); i += 2 {
		parts = append(parts, digits[i:i+2])
	}
	return strings.Join(parts, ":")
}
