# SPDX-License-Identifier: Apache-2.0
"""What the words of complaints tell: tags to suggest, cases alike, copies, and failures nobody has a tag for yet.

Nothing here tags a case: a person does (`suggesting` says what it would propose, how sure it is, and when it had better
say nothing). Begin at `suggesting.fit_suggester`.
"""
