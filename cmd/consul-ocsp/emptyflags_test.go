package main

import (
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestWithoutEmpty(t *testing.T) {
	t.Parallel()
	flags := flag.NewFlagSet("render", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.String("cert", "", "")
	flags.String("format", "", "")
	flags.Bool("log-json", false, "")
	for _, test := range []struct{ args, want string }{
		{"", ""},
		{"-cert a.pem", "-cert a.pem"},
		{"-cert=a.pem --format json", "-cert=a.pem --format json"},
		{"-cert", ""},
		{"-cert=", ""},
		{"-cert,", ""},
		{"-cert,  ,-format,json", "-format json"},
		{"-cert -format json", "-format json"},
		{"-cert -format=json", "-format=json"},
		{"-cert --format", ""},
		{"-format -cert a.pem", "-cert a.pem"},
		{"-log-json -cert a.pem", "-log-json -cert a.pem"},
		{"-log-json", "-log-json"},
		{"-cert -log-json", "-log-json"},
		{"-cert -odd.pem", "-cert -odd.pem"},
		{"-cert=-format", "-cert=-format"},
		{"-unknown", "-unknown"},
		{"word", "word"},
		{"-- -cert", "-- -cert"},
	} {
		separator := " "
		if strings.Contains(test.args, ",") {
			separator = "," // for arguments of spaces
		}
		got := withoutEmpty(flags, strings.Split(test.args, separator))
		if want := strings.Fields(test.want); !slices.Equal(got, want) {
			t.Errorf("%q: %q; want %q", test.args, got, want)
		}
	}
}
