package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/consul-ocsp/consul-ocsp/plugin/restaple"
)

// keptRun is the folder in which --keep-temp leaves what a run saw. One without
// a folder keeps nothing.
type keptRun struct {
	c      *command
	folder string
	log    *os.File
}

func keepRun(c *command, wanted bool) (*keptRun, error) {
	k := &keptRun{c: c}
	if !wanted {
		return k, nil
	}
	var err error
	if k.folder, err = os.MkdirTemp("", haposName+"."); err != nil {
		return nil, err
	}
	fmt.Fprintf(c.stdout, "temporary folder: %s\n", k.folder)
	k.log, err = os.Create(filepath.Join(k.folder, "log"))
	return k, err
}

func (k *keptRun) close() {
	if k.log != nil {
		k.log.Close()
	}
}

// note writes a line to the log.
func (k *keptRun) note(line string) {
	if k.log != nil {
		fmt.Fprintln(k.log, line)
	}
}

// logger writes what the parts say to the log.
func (k *keptRun) logger() hclog.Logger {
	if k.log == nil {
		return hclog.NewNullLogger()
	}
	return hclog.New(&hclog.LoggerOptions{Name: haposName, Level: hclog.Debug, Output: k.log})
}

// keep writes what there is of a run.
func (k *keptRun) keep(got *restaple.Result) error {
	if k.folder == "" || got.Leaf == nil {
		return nil
	}
	err := errors.Join(k.write("ee.pem", certificatesPEM(got.Leaf)), k.write("chain.pem", certificatesPEM(got.Chain...)))
	if got.DER == nil || err != nil {
		return err
	}
	return errors.Join(k.write("ocsp.der", got.DER), k.explain(got))
}

// explain writes the response in words, as the command inspect explains it.
func (k *keptRun) explain(got *restaple.Result) error {
	var text bytes.Buffer
	c := *k.c
	c.stdout = &text
	i := inspection{
		command: &c, path: filepath.Join(k.folder, "ocsp.der"), issuerPath: filepath.Join(k.folder, "chain.pem"),
		now: time.Now(), trusted: got.Signers,
	}
	i.response(got.DER, filepath.Join(k.folder, "ee.pem"))
	return k.write("ocsp.txt", text.Bytes())
}

func (k *keptRun) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(k.folder, name), content, 0o600)
}

func certificatesPEM(list ...*x509.Certificate) []byte {
	var all []byte
	for _, c := range list {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return all
}
