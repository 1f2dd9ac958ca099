package consul

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// However many refreshes there are, the nodes together write less than twice a
// second; each is seen in time; and in a small cluster what it has applied is
// told within seconds.
func TestReportPace(t *testing.T) {
	for _, nodes := range []int{0, 1, 3, 30, 100, 200, 250, 300} {
		soon, wait := pace(nodes)
		if rate := float64(nodes) / soon.Seconds(); rate >= 2 {
			t.Errorf("%d nodes: %.2f writes a second where all is refreshed all the time", nodes, rate)
		}
		if rate := float64(nodes) / wait.Seconds(); rate >= 2 {
			t.Errorf("%d nodes: %.2f writes a second where nothing happens", nodes, rate)
		}
		if wait > reportLongest || nodes <= 3 && soon > reportSpacing {
			t.Errorf("%d nodes: %s, %s", nodes, soon, wait)
		}
	}
}

// What 300 nodes write in an hour in which some certificate is refreshed
// at any time, by a clock that is not real.
func TestReportsOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 300
		soon, wait := pace(nodes)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		written := make(chan int, nodes)
		refreshed := make(chan struct{})
		close(refreshed) // something always is
		for i := range nodes {
			go func() { // ends with ctx
				n := 0
				for sleep(ctx, time.Duration(i)*time.Millisecond); nextReport(ctx, soon, wait, nil, refreshed); n++ {
				}
				written <- n
			}()
		}
		sum := 0
		for range nodes {
			sum += <-written
		}
		if perSecond := float64(sum) / time.Hour.Seconds(); perSecond >= 2 || perSecond < 1 {
			t.Errorf("%.2f writes a second", perSecond)
		}
	})
}
