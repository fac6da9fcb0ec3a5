// The core flow alone, in the n8n that SEEDANCE_N8N names; `npm run test:compat` makes the table of compatibility of it.
import '../e2e/coreFlow.suite.cjs';
import { useN8n } from '../support/n8n/world.cjs';

jest.setTimeout(60_000);
useN8n();
