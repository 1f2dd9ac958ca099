package main

import (
	"path/filepath"
	"testing"
)

// The Nomad examples work word by word, on a real Nomad and a real Consul that
// denies by default: the blocks of their READMEs are run in order, by one shell,
// in a copy of the folder. Each is heavy, so none runs beside another.

func TestNomadPeriodicExample(t *testing.T) {
	dir := nomadExample(t, "nomad-periodic")
	out := runNomadExample(t, dir, shellBlocks(readText(t, filepath.Join(dir, "README.md"))))
	inOrder(t, out,
		`^Job validation successful\n(.*\n)*?Job validation successful`,
		`^Client Status *= failed`, // nobody has fetched for what it announced
		`^edge/www.example.test +missing`,
		`^Client Status *= complete`,
		`^edge/www.example.test +fetched +good`,
		`^Client Status *= complete`,
		`^edge/www.example.test +stapled +good`,
		`^stapled and verified: good`,
		`Cert Status: good`,
		`^www.example.test is revoked`,
		`^edge/www.example.test +fetched +revoked`,
		`^edge/www.example.test +stapled +revoked`,
		`Cert Status: revoked`,
		`^Client Status *= failed`, // the mistake
		`allowed_responder = `,
		`^CONFIGURATION ERROR, not tried again`,
	)
	leavesNothing(t, dir)
}

func TestNomadSystemExample(t *testing.T) {
	dir := nomadExample(t, "nomad-system")
	out := runNomadExample(t, dir, shellBlocks(readText(t, filepath.Join(dir, "README.md"))))
	inOrder(t, out,
		`^Job validation successful\n(.*\n)*?Job validation successful`,
		`^edge/shop +stapled`, // before HAProxy was started
		`^edge/www +stapled`,
		`^stapled and verified: good`,
		`^www.example.test is revoked`,
		`Cert Status: revoked`,
		`names +new.example.test`,
		`^stapled and verified: good`,
		`Exit Code: [13]`, // must-staple, and nobody answers for it
		`^edge/www +missing`,
		`^Task "haproxy" .*"pending"`,
	)
	leavesNothing(t, dir)
}

func TestNomadTemplateExample(t *testing.T) {
	dir := nomadExample(t, "nomad-template")
	out := runNomadExample(t, dir, shellBlocks(readText(t, filepath.Join(dir, "README.md"))))
	inOrder(t, out,
		`^Job validation successful\n(.*\n)*?Job validation successful`,
		`^stapled and verified: good`,
		`^www.example.test is revoked`,
		`Cert Status: revoked`,
		`www.pem.ocsp`,
		`^Template ran script .* exited with code: 1`,
		`Cert Status: revoked`, // and no staple was taken away
	)
	leavesNothing(t, dir)
}
