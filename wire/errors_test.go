package wire

import "testing"

func TestErrorTexts(t *testing.T) {
	seen := map[string]Error{}
	for e := range Error(ErrorKinds) {
		text := e.Error()
		if other, ok := seen[text]; ok || text == "" {
			t.Errorf("errors %d and %d both say %q", other, e, text)
		}
		seen[text] = e
	}
	if got := Error(ErrorKinds).Error(); got != "unknown error" {
		t.Errorf("an Error out of range says %q", got)
	}
}
