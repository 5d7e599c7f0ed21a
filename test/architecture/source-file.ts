import { posix } from 'node:path';
import ts from 'typescript';

/** A file as the rules see it: its path from the project's root, with slashes, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly source: string;
}

export interface Import {
  readonly specifier: string;
  /** Where a relative specifier leads, from the project's root; undefined for packages. */
  readonly target: string | undefined;
  /** Erased before the program runs. */
  readonly typeOnly: boolean;
  readonly names: readonly string[];
  readonly line: number;
}

export interface ParsedFile extends SourceFile {
  readonly tree: ts.SourceFile;
  /** Every node, parents first; walked once for all rules. */
  readonly nodes: readonly ts.Node[];
  readonly imports: readonly Import[];
  /** `pki` for libs/pki/…; undefined outside libs. */
  readonly lib: string | undefined;
  readonly app: string | undefined;
  readonly isSpec: boolean;
  readonly isDomain: boolean;
}

export interface Violation {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

export interface Rule {
  readonly name: string;
  readonly check: (files: readonly ParsedFile[]) => readonly Omit<Violation, 'rule'>[];
}

export function parseFile({ path, source }: SourceFile): ParsedFile {
  const tree = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const nodes = nodesOf(tree);
  const isSpec = path.endsWith('.spec.ts');
  return {
    path,
    source,
    tree,
    nodes,
    imports: importsOf(path, tree, nodes),
    lib: /^libs\/([^/]+)\//.exec(path)?.[1],
    app: /^apps\/([^/]+)\//.exec(path)?.[1],
    isSpec,
    isDomain: /^libs\/[^/]+\/src\/(?:.+\/)?domain\//.test(path) && !isSpec,
  };
}

function nodesOf(root: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(root);
  return nodes;
}

export function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

/** Whether an identifier is read as a value: not a property's name, not a declaration, not a type. */
export function isReference(node: ts.Identifier): boolean {
  const parent: ts.Node & { readonly name?: ts.Node; readonly propertyName?: ts.Node } = node.parent;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  return parent.name !== node && parent.propertyName !== node && !ts.isTypeNode(parent) && !ts.isQualifiedName(parent);
}

function importsOf(path: string, tree: ts.SourceFile, nodes: readonly ts.Node[]): Import[] {
  const imports: Import[] = [];
  const add = (node: ts.Node, literal: ts.Node | undefined, typeOnly: boolean, names: readonly string[]): void => {
    if (literal === undefined || !ts.isStringLiteralLike(literal)) return;
    imports.push({ specifier: literal.text, target: resolve(path, literal.text), typeOnly, names, line: lineOf(tree, node) });
  };
  for (const node of nodes) {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, isTypeOnly(node.importClause), importedNames(node.importClause));
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly, exportedNames(node));
    else if (ts.isImportTypeNode(node)) add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true, []);
    else if (ts.isExternalModuleReference(node)) add(node, node.expression, false, ['*']);
    else if (ts.isCallExpression(node) && loadsModule(node.expression)) add(node, node.arguments[0], false, ['*']);
  }
  return imports;
}

/** `import('x')`, `require('x')`, `require.resolve('x')`, also under another name such as `nodeRequire`. */
function loadsModule(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  const root = ts.isPropertyAccessExpression(callee) ? callee.expression : callee;
  return ts.isIdentifier(root) && /require$/i.test(root.text);
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const bindings = clause.namedBindings;
  return clause.name === undefined && bindings !== undefined && ts.isNamedImports(bindings) && bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly);
}

function importedNames(clause: ts.ImportClause | undefined): string[] {
  const bindings = clause?.namedBindings;
  const named = bindings === undefined ? [] : ts.isNamedImports(bindings) ? bindings.elements.map((element) => (element.propertyName ?? element.name).text) : ['*'];
  return clause?.name ? ['default', ...named] : named;
}

function exportedNames(node: ts.ExportDeclaration): string[] {
  return node.exportClause && ts.isNamedExports(node.exportClause) ? node.exportClause.elements.map((element) => (element.propertyName ?? element.name).text) : ['*'];
}

function resolve(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return posix.normalize(posix.join(posix.dirname(from), specifier)).replace(/\.js$/, '.ts');
}
