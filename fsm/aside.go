package fsm

// SetAside moves the state's files into dir and starts with an empty state, as
// Discard does. It is for a state that snapshot and log cannot restore.
func (f *FSM) SetAside(dir string) error {
	<-f.checked
	f.applying.Lock()
	f.mu.Lock()
	old := f.state
	f.state = nil
	f.mu.Unlock()
	f.applying.Unlock()
	if old != nil {
		if err := old.Close(); err != nil {
			return err
		}
	}
	if err := f.files.SetAside(dir); err != nil {
		return err
	}
	return f.Discard()
}
