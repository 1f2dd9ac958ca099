package fetcher

import (
	"testing"
	"time"
)

// On real connections: what says that a host has too much to do halves how much
// it is asked at a time, and nothing else does.
func TestWhatHalvesTheWindow(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]float64{
		"429": firstWindow / 2, "503": firstWindow / 2, "silent": firstWindow / 2, "slow": firstWindow / 2, "reset": firstWindow / 2,
		"closed": firstWindow / 2, "proxy-error": firstWindow / 2, "try-later": firstWindow / 2,
		"": firstWindow + 1, "404": firstWindow + 1, "unauthorized": firstWindow + 1, "bad-signature": firstWindow + 1, "wrong-serial": firstWindow + 1,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := faultScene(t)
			url := "http://" + s.serveFault(fault)
			a := s.target("a", url)
			a.Settings.Timeout = time.Second
			s.f.Set([]Target{a})
			r := s.f.Pass(t.Context(), PassOptions{Force: true})[0]
			if window := s.f.hosts.get(hostOf(url), firstWindow).window; window != want {
				t.Errorf("%v at a time after %s %s, want %v", window, r.Outcome, r.Reason, want)
			}
		})
	}
}
