package plugin

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/consul-ocsp/consul-ocsp/plugin/clocktest"
)

func TestTheEndOfAStartIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		told := make(chan struct{}, 10)
		go trim(ctx, func() { told <- struct{}{} })
		<-told
		clocktest.Pass(10 * trimEvery)
		if len(told) > 0 {
			t.Error("told again")
		}
	})
}
