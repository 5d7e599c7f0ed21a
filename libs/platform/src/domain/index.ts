export * from './app-error.js';
export * from './error-texts.js';
export * from './bytes.js';
export * from './canonical-json.js';
export * from './der.js';
export * from './secret-bytes.js';
export * from './result-class.js';
export * from './sign-purpose.js';
