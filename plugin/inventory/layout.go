package inventory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// layout is where a starting HAProxy looks for what belongs to a certificate.
// An empty name: nowhere.
type layout struct {
	ocsp, issuer string
}

// rules are HAProxy's settings for files beside certificates
// (ssl-load-extra-files, ssl-load-extra-del-ext, issuers-chain-path).
type rules struct {
	ocsp, issuer, bundles bool
	stripCRT              bool
	chains                string // folder; "": none
}

// standardRules are what HAProxy does without any setting.
func standardRules() rules { return rules{ocsp: true, issuer: true, bundles: true} }

// layout of a certificate for which nothing else is said.
func (r rules) layout(path string) layout {
	base := path
	if r.stripCRT {
		base = strings.TrimSuffix(path, ".crt")
	}
	var l layout
	if r.ocsp {
		l.ocsp = base + ".ocsp"
	}
	if r.issuer {
		l.issuer = base + ".issuer"
	}
	return l
}

// keyTypes are the endings by which HAProxy takes several files for one
// certificate with several types of key ("crt" in the configuration manual,
// section 5.1). It loads each with files of its own beside it.
var keyTypes = []string{".rsa", ".ecdsa", ".dsa"}

// bundle gives the files of a bundle, none if there is no such bundle, or if
// there is a file of that very name.
func bundle(path string) []string {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var files []string
	for _, ending := range keyTypes {
		if exists(path + ending) {
			files = append(files, path+ending)
		}
	}
	return files
}

// keyType is the ending of a file of a bundle, "" for all others.
func keyType(path string) string {
	if ext := filepath.Ext(path); slices.Contains(keyTypes, ext) {
		return ext
	}
	return ""
}
