package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// keepingDir makes the test below the process that is killed.
const keepingDir = "CONSUL_OCSP_TEST_KEEP"

// A process that is killed while it keeps and notes responses leaves whole files:
// each response that is in its place is in the history too, and all that is there
// can be read.
func TestHistoryAfterAKill(t *testing.T) {
	if dir := os.Getenv(keepingDir); dir != "" {
		keepForEver(t, dir)
	}
	dir := t.TempDir()
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHistoryAfterAKill$")
		cmd.Env = append(os.Environ(), keepingDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 20 + 7*round {
			if !lines.Scan() {
				t.Fatalf("it ended by itself: %v", lines.Err())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it says that it was killed
		wholeHistory(t, Look(dir))
	}
}

// keepForEver keeps one response after the other, and notes something of each.
func keepForEver(t *testing.T, dir string) {
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.SetHistory(History{Keep: func(string) int { return 5 }, Kept: func(record.Staple, error) {}})
	for {
		this := time.Now().Truncate(time.Second)
		if st, found, _ := s.Staple(id); found && !this.After(st.Meta.ThisUpdate) {
			this = st.Meta.ThisUpdate.Add(time.Second)
		}
		st := response(id, this.String(), "good", this)
		if _, err := s.Put(st); err != nil {
			t.Fatal(err)
		}
		n := &Note{ID: id, SHA256: st.Meta.SHA256, ThisUpdate: this, Certificate: pemOf, Change: func(k *record.Kept) bool {
			return k.Note(record.Stapled{Node: "a", At: this, How: record.HowFile})
		}}
		s.Note([]*Note{n})
		fmt.Println(this)
	}
}

func wholeHistory(t *testing.T, s *Store) {
	t.Helper()
	h, err := s.Kept(id, 0)
	if err != nil || h.All < 5 || h.All > 6 || len(h.Foreign) > 0 { // one may be on its way out
		t.Fatalf("%+v, %v", h, err)
	}
	newest, found, err := s.Staple(id)
	if err != nil || !found {
		t.Fatal(err)
	}
	there := false
	for i, r := range h.Responses {
		there = there || r.SHA256 == newest.Meta.SHA256
		if len(r.Wrong) > 0 || i > 1 && len(r.Notes.Stapled) != 1 {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if !there {
		t.Error("the response that is in its place is not in the history")
	}
}
