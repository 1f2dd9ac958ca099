package status

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

const (
	// historyAtOnce bounds how many histories are read at a time: each may be ten
	// thousand files, and whoever asks for it leaves the other processors alone.
	historyAtOnce = 1
	// historyAnswers bounds how many answers there are at a time, on their way to who
	// may take them slowly: each may be megabytes.
	historyAnswers = 8
	// historyMost is how many responses are shown where nobody says otherwise,
	// historyLimit how many anybody may ask for: with a place for each of hundreds
	// of nodes an answer is long.
	historyMost  = 20
	historyLimit = 100
)

// history answers /v1/history/<id>?limit=N or ?at=TIME.
func history(read func(ctx context.Context, id string, at time.Time, most int) (*History, error)) http.HandlerFunc {
	turns, answers := make(chan struct{}, historyAtOnce), make(chan struct{}, historyAnswers)
	return func(w http.ResponseWriter, r *http.Request) {
		id, ok := idOf(w, r)
		if !ok {
			return
		}
		at, most, problem := historyQuery(r)
		if problem != "" {
			fail(w, r, http.StatusBadRequest, problem)
			return
		}
		select {
		case answers <- struct{}{}:
			defer func() { <-answers }()
		case <-r.Context().Done():
			return
		}
		select {
		case turns <- struct{}{}:
		case <-r.Context().Done():
			return
		}
		h, err := read(r.Context(), id, at, most)
		<-turns // before the answer: who takes it slowly keeps few waiting
		switch {
		case err != nil:
			fail(w, r, http.StatusServiceUnavailable, err.Error())
		case h == nil:
			fail(w, r, http.StatusNotFound, "no responses of this certificate are kept here: with fetch { history = n } the next one is")
		default:
			encoded(h).write(w, r, http.StatusOK)
		}
	}
}

// historyQuery is what is asked for, or what is wrong with it.
func historyQuery(r *http.Request) (at time.Time, most int, problem string) {
	query, most := r.URL.Query(), historyMost
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > historyLimit {
			return at, 0, "limit is a number from 1 to 100"
		}
		most = n
	}
	if text := query.Get("at"); text != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return at, 0, "at is a time as in 2026-01-03T14:00:00Z"
		}
	}
	return at, most, ""
}
