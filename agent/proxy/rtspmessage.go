package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Limits of RTSP messages.
const (
	maxRTSPHeader = 64 << 10
	maxRTSPBody   = 1 << 20
)

// rtspMessage is a request, a response, or a packet of media between them.
type rtspMessage struct {
	start   string   // its first line
	headers []string // lines
	body    []byte
	media   []byte // of a packet: all of it; else nil
}

// readRTSP reads the next message.
func readRTSP(from *bufio.Reader) (*rtspMessage, error) {
	first, err := from.Peek(1)
	if err != nil {
		return nil, err
	}
	if first[0] == '$' {
		return readMedia(from)
	}
	m := &rtspMessage{}
	for size := 0; ; {
		line, err := from.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if size += len(line); size > maxRTSPHeader {
			return nil, errors.New("RTSP header too long")
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" && m.start == "": // between two messages
		case line == "":
			return m, m.readBody(from)
		case m.start == "":
			m.start = line
		default:
			m.headers = append(m.headers, line)
		}
	}
}

// readMedia reads a packet: a dollar sign, its channel, its length and its content.
func readMedia(from *bufio.Reader) (*rtspMessage, error) {
	header, err := from.Peek(4)
	if err != nil {
		return nil, err
	}
	m := &rtspMessage{media: make([]byte, 4+int(binary.BigEndian.Uint16(header[2:])))}
	_, err = io.ReadFull(from, m.media)
	return m, err
}

func (m *rtspMessage) readBody(from *bufio.Reader) error {
	values := m.values("Content-Length")
	if len(values) == 0 {
		return nil
	}
	n, err := strconv.ParseUint(values[0], 10, 32)
	if err != nil || n > maxRTSPBody {
		return errors.New("RTSP content too long")
	}
	m.body = make([]byte, n)
	_, err = io.ReadFull(from, m.body)
	return err
}

// values returns the values of a header.
func (m *rtspMessage) values(name string) []string {
	var list []string
	for _, line := range m.headers {
		if key, value, _ := strings.Cut(line, ":"); strings.EqualFold(strings.TrimSpace(key), name) {
			list = append(list, strings.TrimSpace(value))
		}
	}
	return list
}

// set replaces a header.
func (m *rtspMessage) set(name, value string) {
	m.headers = slices.DeleteFunc(m.headers, func(line string) bool {
		key, _, _ := strings.Cut(line, ":")
		return strings.EqualFold(strings.TrimSpace(key), name)
	})
	m.headers = append(m.headers, name+": "+value)
}

func (m *rtspMessage) write(to io.Writer) error {
	if m.media != nil {
		_, err := to.Write(m.media)
		return err
	}
	text := m.start + "\r\n"
	for _, line := range m.headers {
		text += line + "\r\n"
	}
	_, err := to.Write(append([]byte(text+"\r\n"), m.body...))
	return err
}
