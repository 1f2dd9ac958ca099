package plugin

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheEndOfAStartIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		told := make(chan struct{}, 10)
		go trim(ctx, func() { told <- struct{}{} })
		<-told
		time.Sleep(10 * trimEvery)
		synctest.Wait()
		if len(told) > 0 {
			t.Error("told again")
		}
	})
}
