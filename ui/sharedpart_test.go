package ui_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A part of a page that visitors share has the token of each one's own forms, and only what each may do.
func TestConsole_SharedParts(t *testing.T) {
	b := signedIn(t)
	b.register()
	other := visitor(t, b.master)
	if p := other.signIn(apiKey); p.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %d %s, want a redirect", p.StatusCode, p.text)
	}
	parts := map[string]string{}
	for name, who := range map[string]*browser{"one": b, "other": other} {
		part := who.do("GET", "/ui/nodes", nil, "HX-Request", "true")
		token := csrfField.FindStringSubmatch(who.get("/ui/nodes").text)
		if token == nil || !strings.Contains(part.text, token[1]) || strings.Contains(part.text, "<html") {
			t.Errorf("%s: got %s, want a part with a form for %v", name, part.text, token)
		}
		parts[name] = strings.ReplaceAll(part.text, token[1], "")
	}
	if parts["one"] != parts["other"] {
		t.Errorf("got parts\n%s\nand\n%s\nwant the same but for the token", parts["one"], parts["other"])
	}
	k, err := b.master.Client.CreateKey(t.Context(), ffrtmp.NewKey{Name: "r", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead}})
	if err != nil {
		t.Fatal(err)
	}
	reader := visitor(t, b.master)
	reader.signIn(k.Secret)
	if part := reader.do("GET", "/ui/nodes", nil, "HX-Request", "true"); strings.Contains(part.text, "<form") {
		t.Errorf("got %s, want no form for a reader", part.text)
	}
}
