package master

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/backup"
	"github.com/ffrtmp/ffrtmp/internal/version"
)

// reportTimeout bounds the publication of an event.
const reportTimeout = 10 * time.Second

func (c Config) checkBackup() error {
	if c.BackupURL == "" {
		return nil
	}
	if c.BackupInterval < time.Second {
		return configErrorf("BackupInterval must be at least 1s, not %s", c.BackupInterval)
	}
	if c.BackupKeep < 0 {
		return configErrorf("BackupKeep must be at least 0, not %d", c.BackupKeep)
	}
	if _, err := backup.Open(c.BackupURL, os.Getenv); err != nil {
		return configErrorf("BackupURL %v", err)
	}
	return nil
}

// openBackups makes the schedule of backups, if there is one.
func (m *Master) openBackups() error {
	if m.config.BackupURL == "" {
		return nil
	}
	store, err := backup.Open(m.config.BackupURL, os.Getenv)
	if err != nil {
		return fmt.Errorf("backups: %w", err)
	}
	m.backups = backup.New(backup.Config{
		Store: store, Where: m.config.BackupURL, Cluster: m.config.Cluster,
		Interval: m.config.BackupInterval, Keep: m.config.BackupKeep,
		Leading: func() bool { return m.leader.Leading() }, Make: m.makeBackup,
		Failed:  m.backupFailed,
		Metrics: backup.NewMetrics(m.registry), Logger: m.logger.Named("backup"),
	})
	m.logger.Info("scheduled backups enabled", "to", m.config.BackupURL, "interval", m.config.BackupInterval,
		"keep", m.config.BackupKeep)
	return nil
}

// backupStatus is what GET /cluster says of the backups.
func (m *Master) backupStatus() ffrtmp.Backups {
	s := m.backups.Status()
	return ffrtmp.Backups{
		Interval: ffrtmp.Duration(s.Interval), LastSuccess: s.Last.UTC(), LastBytes: s.Bytes, Next: s.Next.UTC(),
		LastFailure: s.Failed.UTC(), Error: s.Error,
	}
}

// runBackups writes backups until ctx ends.
func (m *Master) runBackups(ctx context.Context) {
	if m.backups != nil {
		m.backups.Run(ctx)
	}
}

// backupFailed tells the readers of events.
func (m *Master) backupFailed(ctx context.Context, cause error) {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	if err := m.proposer.Report(ctx, ffrtmp.BackupFailed, m.node.Name(), cause.Error()); err != nil {
		m.logger.Warn("cannot publish an event", "type", ffrtmp.BackupFailed, "error", err)
	}
}

func (m *Master) makeBackup(ctx context.Context) (backup.File, error) {
	if err := m.node.CheckDiskSpace(); err != nil {
		return backup.File{}, err
	}
	b, err := m.state.Backup(ctx, version.Version, time.Now())
	if err != nil {
		return backup.File{}, err
	}
	return backup.File{ReadSeekCloser: b.File, Bytes: b.Bytes, Index: b.Manifest.Index, Jobs: b.Manifest.Jobs}, nil
}
