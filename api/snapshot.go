package api

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// backupType is the media type of a backup.
const backupType = "application/gzip"

// saveSnapshot answers with a backup of the whole state. It is written to a temporary file first, so
// a client that reads slowly delays nothing.
func (s *Server) saveSnapshot(c *call) (*answer, error) {
	if c.Method == http.MethodHead {
		return &answer{header: http.Header{"Content-Type": {backupType}}}, nil
	}
	if err := s.cfg.Cluster.CheckDiskSpace(); err != nil {
		return nil, ffrtmp.Errorf(ffrtmp.InsufficientStorage, "save a snapshot: %w", err)
	}
	if !s.backingUp.CompareAndSwap(false, true) {
		return nil, ffrtmp.Errorf(ffrtmp.RateLimited, "this master is making another snapshot; repeat it later")
	}
	defer s.backingUp.Store(false)
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	b, err := s.cfg.State.Backup(ctx, s.cfg.Version, time.Now())
	if err != nil {
		return nil, err
	}
	return &answer{backup: b, index: b.Manifest.Index}, nil
}

// sendBackup sends a backup and closes it.
func (s *Server) sendBackup(w http.ResponseWriter, c *call, b *fsm.Backup) {
	defer b.Close()
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h.Set("Content-Type", backupType)
	h.Set("Content-Length", strconv.FormatInt(b.Bytes, 10))
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", b.Manifest.FileName()))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if _, err := io.Copy(newFlushWriter(w, true), ctxReader{ctx, b}); err != nil {
		panic(http.ErrAbortHandler)
	}
}
