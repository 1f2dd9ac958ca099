package main

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this binary the program itself where a script runs
// consul-ocsp.
func TestMain(m *testing.M) {
	testscript.Main(waiting{m}, map[string]func(){"consul-ocsp": main, haposName: main})
}

// waiting runs more tests side by side than there are processors, unless
// -parallel says how many: most of their time goes by waiting for others.
type waiting struct{ m *testing.M }

func (w waiting) Run() int {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	return w.m.Run()
}

// TestScripts runs testdata/script/*.txt: sessions of a shell, one a subject.
// Besides testscript's commands they have those of script_process_test.go and
// script_ocsp_test.go. Nothing of the environment reaches the program but PATH
// and GORACE.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[processesKey{}] = map[string]*process{}
			// Under the race detector each program would sleep a second at its end.
			env.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     cmdExits,
			"start":     cmdStart,
			"end":       cmdEnd,
			"signal":    cmdSignal,
			"waitfor":   cmdWaitFor,
			"capture":   cmdCapture,
			"freeport":  cmdFreePort,
			"ocsp":      cmdOCSP,
			"responder": cmdResponder,
			"tlsserver": cmdTLSServer,
			"silence":   cmdSilence,
			"relay":     cmdRelay,
		},
	})
}
