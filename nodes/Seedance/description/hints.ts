/** The hints above the output before the node runs. */
import type { NodeHint } from 'n8n-workflow';

import { operationsWhere } from '../operations';
import { costHints } from './costHints';
import { priceFields } from './fields';

const [priceField] = priceFields;

export const nodeHints: NodeHint[] = [
	...costHints(operationsWhere(({ fields }) => fields.includes(priceField))),
	{
		message:
			'The Callback URL is a test URL: it works for two minutes only, while its trigger listens. Use its Production URL.',
		displayCondition:
			'={{ $parameter["operation"] === "generate" && String($rawParameter["callbackUrl"]).includes("/webhook-test/") }}',
		whenToDisplay: 'beforeExecution',
		type: 'warning',
		location: 'outputPane',
	},
];
