package devcluster

import (
	"net"
	"strconv"
	"testing"
)

// Reserved port is ours alone.
func TestPort_Reserved(t *testing.T) {
	ports, err := reservePorts(50)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseAll(ports)
	seen := map[int]bool{}
	for _, p := range ports {
		if seen[p.number] {
			t.Errorf("port %d was given twice", p.number)
		}
		seen[p.number] = true
	}
	address := "127.0.0.1:" + strconv.Itoa(ports[0].number)
	for range 2 { // a process may listen, end, and listen again
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatalf("its owner cannot listen: %v", err)
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		_ = ln.Close()
	}
}
