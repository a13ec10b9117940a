package flags

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Lines have priorities only when JOURNAL_STREAM names the device and the inode of standard error.
func TestStandardError_Priorities(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	own := fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	for stream, want := range map[string]string{
		own: "<7> <6> <4> <3> <3> <3> ", own + "0": "", "": "", "socket": "",
	} {
		t.Run(stream, func(t *testing.T) {
			if err := errors.Join(file.Truncate(0), seekStart(file)); err != nil {
				t.Fatal(err)
			}
			out := standardError(file, func(string) (string, bool) { return stream, stream != "" })
			l := Log{level: "debug", format: "text"}
			logger := l.Logger("test", out)
			logger.Debug("a")
			logger.Info("b")
			logger.Warn("c")
			logger.Error("d")
			Report("test", errors.New("no API key\nset one"), "", io.Discard, out)
			data, err := os.ReadFile(file.Name())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for line := range strings.Lines(string(data)) {
				if strings.HasPrefix(line, "<") {
					got += line[:3] + " "
				}
			}
			if n := strings.Count(string(data), "\n"); got != want || n != 6 {
				t.Errorf("got priorities %q in %d lines, want %q in 6:\n%s", got, n, want, data)
			}
		})
	}
}

func seekStart(file *os.File) error {
	_, err := file.Seek(0, io.SeekStart)
	return err
}
