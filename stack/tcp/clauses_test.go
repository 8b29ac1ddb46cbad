package tcp

// The source keeps what doc.go promises.

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sources are the files of the package, parsed.
func sources(t *testing.T) (*token.FileSet, []*ast.File) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return set, files
}

// The functions that doc.go names for the clauses of §3.10 are there.
func TestClausesHaveTheirFunctions(t *testing.T) {
	_, files := sources(t)
	declared := map[string]bool{}
	doc := ""
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				declared[fn.Name.Name] = true
			}
		}
		if text := f.Doc.Text(); strings.HasPrefix(text, "Package tcp") {
			doc = text
		}
	}
	clauses := 0
	_, table, _ := strings.Cut(doc, "and its functions")
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "\t") || strings.Contains(line, "there is none") {
			continue
		}
		clauses++
		_, functions, _ := strings.Cut(strings.TrimSpace(line[len("\t§3.10.7.4  "):]), "  ")
		functions = regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(functions, "")
		for _, name := range regexp.MustCompile(`\w+`).FindAllString(functions, -1) {
			if !declared[name] {
				t.Errorf("doc.go names %s, which is no function", name)
			}
		}
	}
	if clauses < 15 {
		t.Errorf("doc.go maps %d clauses to functions", clauses)
	}
}

// No state is meant by a default: who adds one has to say what it does. And the
// switch that a segment comes to first names each.
func TestNoStateIsADefault(t *testing.T) {
	set, files := sources(t)
	most := 0
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			sw, ok := n.(*ast.SwitchStmt)
			if !ok {
				return true
			}
			named, wild := statesOf(sw)
			if named > 0 && wild {
				t.Errorf("%v: a switch over states has a default", set.Position(sw.Pos()))
			}
			most = max(most, named)
			return true
		})
	}
	if most != len(states) {
		t.Errorf("the fullest switch names %d states, want one with all %d", most, len(states))
	}
}

// statesOf counts the states that the cases of a switch name, and reports whether
// it has a default.
func statesOf(sw *ast.SwitchStmt) (named int, wild bool) {
	isState := map[string]bool{"Closed": true, "Listen": true, "SynSent": true, "SynReceived": true, "Established": true,
		"FinWait1": true, "FinWait2": true, "CloseWait": true, "Closing": true, "LastAck": true, "TimeWaiting": true}
	for _, s := range sw.Body.List {
		c := s.(*ast.CaseClause)
		wild = wild || c.List == nil
		for _, x := range c.List {
			if id, ok := x.(*ast.Ident); ok && isState[id.Name] {
				named++
			}
		}
	}
	return named, wild
}
