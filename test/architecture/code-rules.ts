import ts from 'typescript';
import { isReference, lineOf, type ParsedFile, type Rule } from './source-file.js';

/** Words that name nothing. */
const EMPTY_WORDS = new Set(['manager', 'managers', 'helper', 'helpers', 'util', 'utils', 'common', 'base']);

/** Globals that bring the clock, randomness, the network or the environment into domain code. */
const IMPURE_GLOBALS = new Set(['process', 'performance', 'crypto', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'require']);
const IMPURE_CRYPTO = /^(random|generate|getRandom|webcrypto$|subtle$|prng$|rng$|pseudoRandom)/;

type Finding = (node: ts.Node, file: ParsedFile) => string | undefined;

function eachNode(name: string, applies: (file: ParsedFile) => boolean, finding: Finding): Rule {
  return {
    name,
    check: (files) =>
      files.filter(applies).flatMap((file) =>
        file.nodes.flatMap((node) => {
          const what = finding(node, file);
          return what === undefined ? [] : [{ path: file.path, line: lineOf(file.tree, node), what }];
        }),
      ),
  };
}

const everywhere = (): boolean => true;
const inLibs = ({ lib }: ParsedFile): boolean => lib !== undefined;
const inDomain = ({ isDomain }: ParsedFile): boolean => isDomain;

export const CODE_RULES: readonly Rule[] = [
  eachNode('domain-no-clock', inDomain, (node) => {
    if (ts.isNewExpression(node) && isName(node.expression, 'Date') && (node.arguments?.length ?? 0) === 0) return 'new Date() in domain code; time comes in as an argument';
    if (ts.isCallExpression(node) && isName(node.expression, 'Date')) return 'Date() in domain code';
    return memberOf(node, 'Date') === 'now' ? 'Date.now in domain code; time comes in as an argument' : undefined;
  }),
  eachNode('domain-no-randomness', inDomain, (node, file) => {
    if (memberOf(node, 'Math') === 'random') return 'Math.random in domain code';
    if (ts.isImportSpecifier(node) && fromCrypto(node) && IMPURE_CRYPTO.test((node.propertyName ?? node.name).text)) return `${node.getText(file.tree)} in domain code; randomness comes in as an argument`;
    const member = cryptoNames(file).map((name) => memberOf(node, name)).find((found) => found !== undefined);
    return member !== undefined && IMPURE_CRYPTO.test(member) ? `crypto.${member} in domain code; randomness comes in as an argument` : undefined;
  }),
  eachNode('domain-no-globals', inDomain, (node) => {
    if (ts.isIdentifier(node) && IMPURE_GLOBALS.has(node.text) && isReference(node)) return `${node.text} in domain code`;
    return memberOf(node, 'globalThis') === undefined ? undefined : 'globalThis in domain code';
  }),
  eachNode('environment-in-config', ({ lib, app, path }) => (lib !== undefined || app !== undefined) && !path.startsWith('libs/platform/src/config/'), (node) => {
    const read = memberOf(node, 'process') === 'env' || (ts.isBindingElement(node) && bindsEnv(node)) || (ts.isImportSpecifier(node) && fromModule(node, /^(node:)?process$/) && (node.propertyName ?? node.name).text === 'env');
    return read ? 'the environment is read only in libs/platform/src/config' : undefined;
  }),
  eachNode('no-any', everywhere, (node) => (node.kind === ts.SyntaxKind.AnyKeyword ? 'any switches the types off' : undefined)),
  {
    name: 'no-ts-ignore',
    check: (files) =>
      files.flatMap(({ path, source }) =>
        source.split('\n').flatMap((text, index) => (/^\s*(?:\/\/|\/\*|\*|.*[;{},)]\s*\/\/)\s*@ts-(?:ignore|expect-error|nocheck)/.test(text) ? [{ path, line: index + 1, what: 'a switched-off type check' }] : [])),
      ),
  },
  eachNode('no-console', inLibs, (node) => (memberOf(node, 'console') === undefined ? undefined : 'console in a lib; use the Logger')),
  {
    name: 'named-files',
    check: (files) => files.flatMap(({ path }) => (path.split(/[/.]/).some(hasEmptyWord) ? [{ path, line: 1, what: `${path} has a word that names nothing` }] : [])),
  },
  eachNode('named-classes', everywhere, (node) =>
    (ts.isClassLike(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isEnumDeclaration(node)) && node.name !== undefined && hasEmptyWord(node.name.text)
      ? `${node.name.text} has a word that names nothing`
      : undefined,
  ),
];

function isName(node: ts.Node, name: string): boolean {
  return ts.isIdentifier(node) && node.text === name;
}

/** `now` for `Date.now` and `Date['now']`. */
function memberOf(node: ts.Node, object: string): string | undefined {
  if (ts.isPropertyAccessExpression(node) && isName(node.expression, object)) return node.name.text;
  if (ts.isElementAccessExpression(node) && isName(node.expression, object)) return ts.isStringLiteralLike(node.argumentExpression) ? node.argumentExpression.text : '[]';
  return undefined;
}

function fromModule(specifier: ts.ImportSpecifier, module: RegExp): boolean {
  const { moduleSpecifier } = specifier.parent.parent.parent as ts.ImportDeclaration;
  return ts.isStringLiteral(moduleSpecifier) && module.test(moduleSpecifier.text);
}

function fromCrypto(specifier: ts.ImportSpecifier): boolean {
  return fromModule(specifier, /^(node:)?crypto$/);
}

/** Names under which a file holds the whole of node:crypto. */
function cryptoNames({ tree }: ParsedFile): string[] {
  return tree.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier) || !/^(node:)?crypto$/.test(statement.moduleSpecifier.text)) return [];
    const clause = statement.importClause;
    const namespace = clause?.namedBindings && ts.isNamespaceImport(clause.namedBindings) ? [clause.namedBindings.name.text] : [];
    return clause?.name ? [clause.name.text, ...namespace] : namespace;
  });
}

/** `const { env } = process`. */
function bindsEnv(element: ts.BindingElement): boolean {
  const declaration = element.parent.parent;
  const name = element.propertyName ?? element.name;
  return ts.isVariableDeclaration(declaration) && declaration.initializer !== undefined && isName(declaration.initializer, 'process') && ts.isIdentifier(name) && name.text === 'env';
}

/** Splits keyBase, KeyBase, key-base and KEY_BASE; `database` and `base64` are words of their own. */
function hasEmptyWord(name: string): boolean {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
    .toLowerCase()
    .split(/[-_]/)
    .some((word) => EMPTY_WORDS.has(word));
}
