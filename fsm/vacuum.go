package fsm

import (
	"time"

	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// vacuumRest is how long vacuum rests between two portions, each of which takes
// about a tenth of it.
const vacuumRest = 40 * time.Millisecond

// startVacuum has the space of rows that were removed given back to the file
// system, unless that is under way.
func (f *FSM) startVacuum() {
	if f.life.Err() != nil || f.vacuuming.Swap(true) {
		return
	}
	f.background.Go(func() {
		defer f.vacuuming.Store(false)
		for {
			more, err := f.vacuumSome()
			if err != nil {
				f.log.Warn("space could not be given back to the file system; the next removal tries again", "error",
					err)
			}
			if !more || err != nil || ctxtime.Sleep(f.life, vacuumRest) != nil {
				return
			}
		}
	})
}

// vacuumSome gives back a portion between two entries. What the database says does
// not change by it, so each master does it by itself.
func (f *FSM) vacuumSome() (more bool, err error) {
	f.applying.Lock()
	defer f.applying.Unlock()
	if f.halted.Load() || f.state == nil {
		return false, nil
	}
	return f.state.Vacuum()
}
