package flags

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"github.com/hashicorp/go-hclog"
)

// priorities are those of syslog, which journalctl -p selects by.
var priorities = map[hclog.Level]int{
	hclog.Error: 3, hclog.Warn: 4, hclog.Info: 6, hclog.Debug: 7, hclog.Trace: 7,
}

// journal writes to systemd's journal, which takes "<3>" at the begin of a line for the line's priority. It is an
// hclog.LevelWriter.
type journal struct{ out io.Writer }

// standardError is a daemon's standard error, with priorities when systemd has connected file to its journal.
func standardError(file *os.File, lookup func(string) (string, bool)) io.Writer {
	var stat syscall.Stat_t
	stream, _ := lookup("JOURNAL_STREAM")
	if stream == "" || syscall.Fstat(int(file.Fd()), &stat) != nil ||
		stream != strconv.FormatUint(stat.Dev, 10)+":"+strconv.FormatUint(stat.Ino, 10) {
		return file
	}
	return journal{file}
}

// Write implements io.Writer. What is written past a logger is why the daemon ends.
func (j journal) Write(p []byte) (int, error) { return j.LevelWrite(hclog.Error, p) }

// LevelWrite implements hclog.LevelWriter.
func (j journal) LevelWrite(level hclog.Level, p []byte) (int, error) {
	var b bytes.Buffer
	for line := range bytes.Lines(p) {
		fmt.Fprintf(&b, "<%d>%s", priorities[level], line)
	}
	if _, err := j.out.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
