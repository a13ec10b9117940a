package fsm

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A restore counts declared roots and the directories of waiting jobs anew.
func TestMediaRoots_Restore(t *testing.T) {
	c := newCluster(t)
	c.fsm.SetClusterID(func() string { return "c" })
	c.register("a", func(n *ffrtmp.Registration) { n.MediaRoots = []string{"/srv", "/srv/media"} })
	c.submit(func(s *ffrtmp.Spec) { s.Parameters = []byte(`{"input":"/srv/media/in.mp4","output":"/srv/out.mp4"}`) })
	c.restoreBackup(c.backUp())
	c.checkDerived()
}
