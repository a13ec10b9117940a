package devcluster

import (
	"fmt"
	"io"
	"os/exec"
	"syscall"
)

// killer is a shell that outlives this process when that dies without closing its cluster. It then kills the processes
// that the death signal does not reach: the children of agents, which survive them on purpose.
type killer struct {
	cmd   *exec.Cmd
	alive io.WriteCloser // closed by the kernel when this process dies
}

// killerScript waits for the end of its input. It searches several times, since a process may be starting another one.
const killerScript = `
cat >/dev/null
for i in 1 2 3; do
	for p in /proc/[0-9]*; do
		if tr '\0' '\n' <"$p/environ" | grep -qxF "$1"; then kill -9 "${p#/proc/}"; fi
	done
	sleep 0.1
done 2>/dev/null
`

func startKiller(mark string) (*killer, error) {
	// No context: it must outlive this process.
	cmd := exec.Command("sh", "-c", killerScript, "sh", mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start killer: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start killer: %w", err)
	}
	return &killer{cmd: cmd, alive: alive}, nil
}

// stop ends the killer before it kills anything.
func (w *killer) stop() {
	_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) // with its cat
	_ = w.alive.Close()
	_ = w.cmd.Wait()
}
