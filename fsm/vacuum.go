package fsm

import (
	"time"

	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// vacuumRest is the pause between two steps of the vacuum, each of which takes
// about a tenth of it.
const vacuumRest = 40 * time.Millisecond

// startVacuum starts releasing free pages to the file system in the background,
// unless that is running.
func (f *FSM) startVacuum() {
	if f.life.Err() != nil || f.vacuuming.Swap(true) {
		return
	}
	f.background.Go(func() {
		defer f.vacuuming.Store(false)
		for {
			more, err := f.vacuumSome()
			if err != nil {
				f.log.Warn("cannot shrink the database file; retrying after the next removal", "error", err)
			}
			if !more || err != nil || ctxtime.Sleep(f.life, vacuumRest) != nil {
				return
			}
		}
	})
}

// vacuumSome releases some pages between two entries. It does not change the content
// of the database, so each master does it independently.
func (f *FSM) vacuumSome() (more bool, err error) {
	f.applying.Lock()
	defer f.applying.Unlock()
	if f.halted.Load() || f.state == nil {
		return false, nil
	}
	if err := f.commit(); err != nil {
		f.halt(err)
		return false, err
	}
	return f.state.Vacuum()
}
