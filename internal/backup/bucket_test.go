package backup

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// A bucket keeps files below the prefix.
func TestBucket(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	defer server.Close()
	env := map[string]string{
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "canary", "AWS_ENDPOINT_URL_S3": server.URL,
		"AWS_REGION": "eu-central-1",
	}
	lookup := func(name string) string { return env[name] }
	for _, location := range []string{"s3://backups", "s3://backups/of/prod/"} {
		s, err := Open(location, lookup)
		if err != nil {
			t.Fatal(err)
		}
		checkStore(t, s)
		if location == "s3://backups" { // the next one must not see it
			if err := s.Remove(t.Context(), "b.snap"); err != nil {
				t.Error(err)
			}
		}
	}
	objects, err := backend.ListBucket("backups", nil, gofakes3.ListBucketPage{})
	if err != nil || len(objects.Contents) != 1 || objects.Contents[0].Key != "of/prod/b.snap" {
		t.Errorf("got %+v, %v, want of/prod/b.snap", objects, err)
	}
	s, err := Open("s3://missing", lookup)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context()); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("a bucket that does not exist: got %v, want an error without a secret", err)
	}
}

// A backup that takes several parts arrives whole, and one that breaks off in a later part leaves no object.
func TestBucket_Multipart(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	var parts atomic.Int32
	fake := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("partNumber") {
			parts.Add(1)
			if err := decodePart(r); err != nil {
				t.Error(err)
			}
		}
		fake.ServeHTTP(w, r)
	}))
	defer server.Close()
	env := map[string]string{
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "canary", "AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "x",
	}
	s, err := Open("s3://backups", func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 20<<20)
	if _, err := rand.NewChaCha8([32]byte{}).Read(data); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "large.snap", bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	o, err := backend.GetObject("backups", "large.snap", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Contents.Close()
	if got, err := io.ReadAll(o.Contents); err != nil || !bytes.Equal(got, data) || parts.Load() < 2 {
		t.Errorf("got %d bytes in %d parts (%v), want the %d that were put, in several", len(got), parts.Load(), err,
			len(data))
	}
	short := bytes.NewReader(data[:18<<20])
	if err := s.Put(t.Context(), "short.snap", short, int64(len(data))); err == nil {
		t.Error("a file that ends early: got no error, want one")
	}
	if list, err := s.List(t.Context()); err != nil || len(list) != 1 || list[0].Size != int64(len(data)) {
		t.Errorf("got %+v, %v, want only the large file", list, err)
	}
}

// decodePart removes the signatures between the chunks of a part, which the fake server takes for data. Over HTTP the
// client signs each chunk.
func decodePart(r *http.Request) error {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return nil
	}
	var data []byte
	for in := bufio.NewReader(r.Body); ; {
		head, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(head), ";")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		chunk := make([]byte, n+2) // and a line's end
		if read, _ := io.ReadFull(in, chunk); read < len(chunk) {
			return nil // the client has broken off, which the server shall see
		}
		data = append(data, chunk[:n]...)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	r.Header.Set("Content-Length", strconv.Itoa(len(data)))
	return nil
}
