package backup

import (
	"net/http/httptest"
	"strings"
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
