package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/consul-ocsp/consul-ocsp/plugin/haproxy/haproxytest"
	"github.com/consul-ocsp/consul-ocsp/plugin/testca"
)

const badPlaceJob = `trusted_folders = %s
data_dir = %q
lock_dir = %q
job "bad" {
  certificate "www" {
    path = %q
  }
  deliver "haproxy" {
    socket = %q
  }
}
job "good" {
  certificate "shop" {
    path = %q
  }
  deliver "haproxy" {
    socket = %q
  }
}
`

// badPlace is a node with two certificates, of which one is got at.
type badPlace struct {
	*node
	t      *testing.T
	socket string // a link, which leads where the test wants
	folder string // a file system of its own
	dir    string
	shop   string
}

// TestBadPlaces spoils the socket and the folder of one certificate, one way
// after the other: what is wrong is named, the other certificate is served, and
// so is this one as soon as it is mended. It runs where its mounts are its own.
func TestBadPlaces(t *testing.T) {
	t.Parallel()
	if ownMounts() == "" {
		inOwnMounts(t)
		return
	}
	b := newBadPlace(t)
	b.lead(filepath.Join(b.dir, "o"))
	b.start(t)
	b.saysSince(0, `needs \"level admin\"`, "a socket of level operator")
	b.mended(func() { b.lead(b.haproxy.Socket()) })

	type spoilt struct {
		name, says  string
		spoil, mend func()
	}
	all := []spoilt{
		{"a socket that is gone", "reason=socket", func() { b.lead(filepath.Join(b.dir, "none")) }, func() { b.lead(b.haproxy.Socket()) }},
		{"a socket of somebody else", "no HAProxy answers there, it says", b.somebodyElse, func() { b.lead(b.haproxy.Socket()) }},
		{"a folder that can only be read", "read-only file system", func() { b.mount("remount,ro") }, func() { b.mount("remount,rw") }},
		{"a full disk", "no space left on device", b.fill, func() { b.must(os.Remove(filepath.Join(b.folder, "filler"))) }},
	}
	if ownMounts() == "root" { // who knows other users
		all = append(all,
			spoilt{"a folder that all can write", b.folder + " can be written by every user", func() { b.must(os.Chmod(b.folder, 0o777)) }, func() { b.must(os.Chmod(b.folder, 0o755)) }},
			spoilt{"a folder of another user", b.folder + " belongs to user ", b.give, func() { b.must(os.Chown(b.folder, 0, 0)) }},
			spoilt{"a file of another user", b.file(www) + " belongs to user ", b.giveFile, func() { b.must(os.Chmod(b.folder, 0o755)) }},
		)
	}
	for _, s := range all {
		before := len(b.agent.log.String())
		s.spoil()
		b.next()
		b.saysSince(before, s.says, s.name)
		b.mended(s.mend)
	}
}

func newBadPlace(t *testing.T) *badPlace {
	t.Helper()
	dir, err := os.MkdirTemp("", "bad") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	b := &badPlace{t: t, node: &node{name: "bad", dir: dir}, dir: dir, socket: filepath.Join(dir, "s"), folder: filepath.Join(dir, "certs")}
	t.Cleanup(func() { // of this process alone, and gone with it
		_ = syscall.Unmount(b.folder, syscall.MNT_DETACH)
		os.RemoveAll(dir)
	})
	b.must(os.Mkdir(b.folder, 0o755))
	b.must(os.Chmod(dir, 0o755))
	b.must(syscall.Mount("none", b.folder, "tmpfs", 0, "size=64k,mode=755"))
	a := newAuthority(t, testca.ResponderOptions{})
	a.issue(t, b.folder, testca.IssueOptions{}, www)
	b.shop = a.issue(t, filepath.Join(dir, "shop"), testca.IssueOptions{}, "shop.example.test")[0].Path
	b.haproxy = haproxytest.Start(t, haproxytest.Options{
		Certs: []string{b.certificate(www), b.shop}, ExtraGlobal: "\tstats socket " + filepath.Join(dir, "o") + " level operator",
	})
	trusted := "[]"
	if ownMounts() != "root" {
		trusted = `["/"]` // the real root is a stranger there
	}
	b.job = writeJob(t, filepath.Join(dir, "job.hcl"), fmt.Sprintf(badPlaceJob, trusted, filepath.Join(dir, "data"), filepath.Join(dir, "lock"),
		b.certificate(www), b.socket, b.shop, b.haproxy.Socket()))
	return b
}

func (b *badPlace) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// lead makes the socket's link lead to another.
func (b *badPlace) lead(to string) {
	b.t.Helper()
	b.must(os.RemoveAll(b.socket))
	b.must(os.Symlink(to, b.socket))
}

func (b *badPlace) somebodyElse() {
	l, err := net.Listen("unix", filepath.Join(b.dir, "x"))
	b.must(err)
	b.t.Cleanup(func() { l.Close() })
	go func() { // ends with l
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// Who closes before he was spoken to is nobody, not somebody else.
			_, _ = conn.Read(make([]byte, 100))
			_, _ = io.WriteString(conn, "220 mail.example.test ESMTP\r\n")
			conn.Close()
		}
	}()
	b.lead(l.Addr().String())
}

func (b *badPlace) mount(how string) {
	b.t.Helper()
	var flags uintptr = syscall.MS_REMOUNT
	if strings.HasSuffix(how, "ro") {
		flags |= syscall.MS_RDONLY
	}
	b.must(syscall.Mount("none", b.folder, "tmpfs", flags, ""))
}

func (b *badPlace) fill() {
	f, err := os.Create(filepath.Join(b.folder, "filler"))
	b.must(err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		b.t.Fatal(err)
	}
}

func (b *badPlace) give() { b.must(os.Chown(b.folder, nobody, nobody)) }

// giveFile puts somebody else's file where everybody can create one.
func (b *badPlace) giveFile() {
	b.must(os.Chmod(b.folder, 0o777|os.ModeSticky))
	b.must(os.Chown(b.file(www), nobody, nobody))
}

// next has newer responses for both be there, and waits until the one that
// nobody got at is served.
func (b *badPlace) next() {
	b.t.Helper()
	before := b.staple(b.t, "shop.example.test")
	eventually(b.t, "the next response of the other certificate", func() error {
		if out, code := consulOCSP(b.t, "fetch", "-force", "-config-file="+b.job); code != exitOK {
			return fmt.Errorf("fetch ends with %d:\n%s", code, out)
		}
		if bytes.Equal(b.staple(b.t, "shop.example.test"), before) {
			return errors.New("it is the one before")
		}
		return nil
	})
}

func (b *badPlace) saysSince(from int, text, when string) {
	b.t.Helper()
	eventually(b.t, "log with "+when, func() error {
		if !strings.Contains(b.agent.log.String()[from:], text) {
			return fmt.Errorf("no %q in the log", text)
		}
		return nil
	})
}

// mended waits until file and HAProxy have the newest response.
func (b *badPlace) mended(mend func()) {
	b.t.Helper()
	mend()
	eventually(b.t, "file and handshake", func() error {
		newest, code := consulOCSP(b.t, "render", "-config-file="+b.job, "-format=der", "-cert="+b.certificate(www))
		if code != exitOK {
			return fmt.Errorf("render ends with %d: %s", code, newest)
		}
		file, err := os.ReadFile(b.file(www))
		if err != nil || string(file) != newest {
			return fmt.Errorf("the file has %d bytes, and not the newest: %v", len(file), err)
		}
		if string(b.staple(b.t, www)) != newest {
			return errors.New("HAProxy staples another one")
		}
		return nil
	})
}

// ownMounts says whether this process has mounts of its own, as root or as root
// of a user namespace.
func ownMounts() string { return os.Getenv("TEST_OWN_MOUNTS") }

// inOwnMounts runs the test that calls it in a process with mounts of its own;
// for who is not root, in a user namespace.
func inOwnMounts(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(cleanEnvironment(), "TEST_OWN_MOUNTS=root")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.Env = append(cmd.Env, "TEST_OWN_MOUNTS=namespace")
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Fatalf("%v\n%s", err, out)
	}
}
