export * from './report-model.js';
export { reportJson } from './report-json.js';
export * from './render-report.js';
export { Reports, type SignedReport } from './reports.service.js';
