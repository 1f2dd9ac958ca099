package consul

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/consul-ocsp/consul-ocsp/consul/consultest"
	"github.com/consul-ocsp/consul-ocsp/plugin/record"
)

// An operator asks, the leader answers, and nothing is left.
func testRequests(t *testing.T, s *consultest.Server) {
	leader, operator := newClient(t, s), newClient(t, s)
	old, err := record.Request{By: "gone", Nonce: "aa", Asked: time.Now().Add(-2 * time.Hour)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string][]byte{
		leader.keys.request(testID(7)): old, leader.keys.request(testID(8)): []byte("garbage"), leader.keys.requests() + "no-id": old,
	} {
		put(t, s, key, value)
	}
	lead(t, leader, func(ctx context.Context, term *Term) {
		ctx, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { // ends with stop
			err := term.Requests(ctx, func(_ context.Context, ids []string, answer func(string, record.Request)) {
				if slices.Contains(ids, testID(7)) || slices.Contains(ids, testID(8)) {
					t.Errorf("asked to fetch %v", ids)
				}
				answer(testID(1), record.Request{Outcome: "fetched", Status: "good", Nonce: "not yours"})
			})
			if err != nil {
				t.Error(err)
			}
		})
		answers, err := operator.AskFetch(ctx, []string{testID(1), testID(2)}, "test", nil)
		if err != nil || len(answers) != 2 || answers[testID(1)].Outcome != "fetched" || answers[testID(2)].Outcome != "unknown" {
			t.Errorf("answers %+v, %v", answers, err)
		}
		eventually(t, "nothing is left", func() bool {
			names, err := leader.listKeys(ctx, leader.keys.requests())
			return err == nil && len(names) == 0
		})
		stop()
		wg.Wait()
	})
}

// Nobody leads: what was asked is taken back when the asker gives up.
func testRequestUnanswered(t *testing.T, s *consultest.Server) {
	c := newClient(t, s)
	ctx, cancel := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	gaveUp := errors.New("gave up")
	wg.Go(func() { // ends by itself
		eventually(t, "it is asked", func() bool {
			names, err := c.listKeys(t.Context(), c.keys.requests())
			return err == nil && len(names) == 1
		})
		cancel(gaveUp)
	})
	if answers, err := c.AskFetch(ctx, []string{testID(1)}, "test", nil); !errors.Is(err, gaveUp) || len(answers) != 0 {
		t.Errorf("%v, %v", answers, err)
	}
	wg.Wait()
	if names, err := c.listKeys(t.Context(), c.keys.requests()); err != nil || len(names) != 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

// What takes long for one asker keeps no other waiting, and nothing is fetched
// twice for one asking.
func testRequestsDelayNobody(t *testing.T, s *consultest.Server) {
	leader, operator := newClient(t, s), newClient(t, s)
	lead(t, leader, func(ctx context.Context, term *Term) {
		ctx, stop := context.WithCancel(ctx)
		released := make(chan struct{})
		var mu sync.Mutex
		fetched := map[string]int{}
		var wg sync.WaitGroup
		wg.Go(func() { // ends with stop
			err := term.Requests(ctx, func(ctx context.Context, ids []string, answer func(string, record.Request)) {
				for _, id := range ids {
					mu.Lock()
					fetched[id]++
					mu.Unlock()
					if id == testID(1) {
						<-released
					}
					answer(id, record.Request{Outcome: "fetched"})
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
		var slow sync.WaitGroup
		slow.Go(func() { // ends when released is closed
			if answers, err := operator.AskFetch(ctx, []string{testID(1)}, "slow", nil); err != nil || len(answers) != 1 {
				t.Errorf("%v, %v", answers, err)
			}
		})
		eventually(t, "the slow one is under way", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return fetched[testID(1)] == 1
		})
		for range 2 {
			if answers, err := operator.AskFetch(ctx, []string{testID(2)}, "quick", nil); err != nil || len(answers) != 1 {
				t.Errorf("%v, %v", answers, err)
			}
		}
		close(released)
		slow.Wait()
		stop()
		wg.Wait()
		if fetched[testID(1)] != 1 || fetched[testID(2)] != 2 {
			t.Errorf("fetched %v", fetched)
		}
	})
}
