package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// thirdParty has the scripts that make build installs; a plain go build has none of them.
//
//go:embed third_party
var thirdParty embed.FS

// scripts are the third-party files that pages use.
var scripts = []string{"htmx.min.js", "uPlot.iife.min.js", "uPlot.min.css"}

// asset is a file as it is sent.
type asset struct {
	mediaType string
	data      []byte
	packed    []byte // with gzip
}

// assets serves scripts and styles. Their path contains a hash of all of them, so that browsers may keep them.
type assets struct {
	files   map[string]asset
	version string
	missing bool // the third-party files
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	for _, from := range []struct {
		fs  embed.FS
		dir string
	}{{staticFiles, "static"}, {thirdParty, "third_party"}} {
		entries, err := from.fs.ReadDir(from.dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			data, err := from.fs.ReadFile(path.Join(from.dir, e.Name()))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(sum, "%s %d ", e.Name(), len(data))
			sum.Write(data)
			if a.files[e.Name()], err = pack(e.Name(), data); err != nil {
				return nil, err
			}
		}
	}
	a.version = hex.EncodeToString(sum.Sum(nil)[:8])
	for _, name := range scripts {
		if _, ok := a.files[name]; !ok {
			a.missing = true
		}
	}
	return a, nil
}

func pack(name string, data []byte) (asset, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return asset{}, err
	}
	if _, err := w.Write(data); err != nil {
		return asset{}, err
	}
	if err := w.Close(); err != nil {
		return asset{}, err
	}
	mediaType := mime.TypeByExtension(path.Ext(name))
	if mediaType == "" {
		mediaType = "text/plain; charset=utf-8"
	}
	return asset{mediaType, data, packed.Bytes()}, nil
}

// url is the path of a file.
func (a *assets) url(name string) string { return "/ui/static/" + a.version + "/" + name }

// ServeHTTP implements http.Handler.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("file")]
	if !ok {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Vary", "Accept-Encoding")
	if r.PathValue("version") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	data := f.data
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		data = f.packed
	}
	_, _ = w.Write(data) // an error means that the browser is gone
}

var errNoTemplates = errors.New("ui: no templates")

// templateNames lists the files of the templates.
func templateNames() ([]string, error) {
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err == nil && len(names) == 0 {
		err = errNoTemplates
	}
	return names, err
}
