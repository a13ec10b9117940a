package master

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// scrape returns a master's metrics.
func scrape(t *testing.T, m *Master) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+m.MetricsAddr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// backingUp is a master that writes backups every second and keeps two, and has a job.
func backingUp(t *testing.T, location string) *Master {
	t.Helper()
	c := inMemory()
	c.BackupURL, c.BackupInterval, c.BackupKeep = location, time.Second, 2
	m := start(t, c)
	if _, err := connect(t, m, "first").Submit(t.Context(), ffrtmp.Spec{Scenario: "720p"}); err != nil {
		t.Fatal(err)
	}
	return m
}

// hasJob reports whether a backup can be restored and has the job.
func hasJob(t *testing.T, r io.Reader) bool {
	t.Helper()
	_, manifest, err := fsm.OpenBackup(r, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Jobs == 1
}

// The leader writes backups to a directory and keeps the last ones.
func TestMaster_BackupDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "backups")
	m := backingUp(t, dir)
	first := ""
	testkit.Eventually(t, "the first backup is removed, and the newest of two has the job", func() bool {
		list, err := filepath.Glob(filepath.Join(dir, "ffrtmp-default-*.snap"))
		if err != nil || len(list) == 0 {
			return false
		}
		if first == "" {
			first = list[0]
		}
		if len(list) != 2 || list[0] == first {
			return false
		}
		f, err := os.Open(list[1])
		if err != nil {
			return false // it was removed meanwhile
		}
		defer f.Close()
		return hasJob(t, f)
	})
	testkit.Eventually(t, "the cluster's status has the backup", func() bool {
		s, err := connect(t, m, "first").Cluster(t.Context())
		b := s.Backups
		return err == nil && b != nil && b.LastBytes > 0 && !b.LastSuccess.IsZero() && b.Next.After(b.LastSuccess) &&
			b.Error == ""
	})
	text := scrape(t, m)
	for _, want := range []string{
		"ffmpeg_master_backup_interval_seconds 1\n", "ffmpeg_master_backup_failures_total 0\n",
		"ffmpeg_master_backup_last_success_timestamp_seconds 1.", "ffmpeg_master_backup_last_size_bytes ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got no metric %q", want)
		}
	}
}

// The leader writes backups to a bucket of an S3 server, and counts what fails.
func TestMaster_BackupBucket(t *testing.T) {
	backend := s3mem.New()
	server := httptest.NewServer(gofakes3.New(backend).Server())
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": server.URL,
		"AWS_ENDPOINT_URL_S3": "", "AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	m := backingUp(t, "s3://backups/prod")
	testkit.Eventually(t, "a failure is counted while there is no bucket", func() bool {
		s, err := connect(t, m, "first").Cluster(t.Context())
		return !strings.Contains(scrape(t, m), "ffmpeg_master_backup_failures_total 0\n") && err == nil &&
			s.Backups.Error != "" && slices.ContainsFunc(s.Warnings, func(w string) bool {
			return strings.HasPrefix(w, "the last scheduled backup failed: ")
		})
	})
	testkit.Eventually(t, "an event says what has failed", func() bool {
		events, _, err := m.state.Events(t.Context(), ffrtmp.EventID{})
		i := slices.IndexFunc(events, func(e ffrtmp.Event) bool { return e.Type == ffrtmp.BackupFailed })
		return err == nil && i >= 0 && events[i].Master == m.node.Name() && events[i].Message != ""
	})
	if err := backend.CreateBucket("backups"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the bucket has the job", func() bool {
		list, err := backend.ListBucket("backups", nil, gofakes3.ListBucketPage{})
		if err != nil || len(list.Contents) == 0 {
			return false
		}
		o, err := backend.GetObject("backups", list.Contents[len(list.Contents)-1].Key, nil)
		if err != nil {
			return false
		}
		defer o.Contents.Close()
		return strings.HasPrefix(o.Name, "prod/ffrtmp-default-") && hasJob(t, o.Contents)
	})
}
