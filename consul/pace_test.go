package consul

import "testing"

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
