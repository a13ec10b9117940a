package devcluster

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// warden is a shell that outlives this process when it dies without closing its cluster, and then kills what the death
// signal does not reach: the children of agents, which are made to survive them.
type warden struct {
	cmd  *exec.Cmd
	life io.WriteCloser // closed by the kernel when this process dies
}

// wardenScript waits for the end of its input. It looks several times, since a process may be starting another one.
const wardenScript = `
cat >/dev/null
for i in 1 2 3; do
	for p in /proc/[0-9]*; do
		if tr '\0' '\n' <"$p/environ" | grep -qxF "$1"; then kill -9 "${p#/proc/}"; fi
	done
	sleep 0.1
done 2>/dev/null
`

func hireWarden(mark string) (*warden, error) {
	// No context: it is there for the case that nobody is left to cancel it.
	cmd := exec.Command("sh", "-c", wardenScript, "sh", mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start warden: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start warden: %w", err)
	}
	return &warden{cmd: cmd, life: life}, nil
}

// dismiss ends the warden without its having anything to do.
func (w *warden) dismiss() {
	_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) // with its cat
	_ = w.life.Close()
	_ = w.cmd.Wait()
}
