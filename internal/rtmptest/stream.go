package rtmptest

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"

	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// Stream is what the server says of a stream that it is sent.
type Stream struct {
	Name     string `xml:"name"`
	Received int64  `xml:"bytes_in"`
	Clients  []struct {
		ID         int       `xml:"id"`
		Publishing *struct{} `xml:"publishing"`
		Timestamp  int64     `xml:"timestamp"` // ms of the stream
		Connected  int64     `xml:"time"`      // ms
	} `xml:"client"`
}

// Publisher is the connection that the stream comes from: a number that the server
// gives to no other.
func (s Stream) Publisher() int {
	for _, c := range s.Clients {
		if c.Publishing != nil {
			return c.ID
		}
	}
	return 0
}

// Streams are those that somebody is publishing now, by name.
func (s *Server) Streams() map[string]Stream {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	list, err := s.statistics(ctx)
	s.must(err)
	streams := map[string]Stream{}
	for _, one := range list {
		if one.Publisher() != 0 {
			streams[one.Name] = one
		}
	}
	return streams
}

func (s *Server) statistics(ctx context.Context) ([]Stream, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.stat+"/stat", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("statistics: %s", response.Status)
	}
	var doc struct {
		Streams []Stream `xml:"server>application>live>stream"`
	}
	return doc.Streams, xml.NewDecoder(response.Body).Decode(&doc)
}

// Probed is what ffprobe finds in a stream while it runs.
type Probed struct {
	Video string // codec
	Size  string // 1280x720
	Rate  string // frames a second, as a fraction: 30/1
	Audio string // codec
}

// Probe joins a stream as a viewer and says what is in it.
func (s *Server) Probe(name string) Probed {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := ffprobe.Run(ctx, s.URL()+"/"+name, "-rw_timeout", "10000000")
	s.must(err)
	video := r.First("video")
	return Probed{Video: video.Codec, Size: video.Size(), Rate: video.AverageRate, Audio: r.First("audio").Codec}
}
